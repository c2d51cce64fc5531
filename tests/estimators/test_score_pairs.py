"""Scores of all pairs are those of the pairs one by one, however they are asked for."""

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import Settings, TooFew, log_density_ratio, ratio_neighbours
from scmi.estimators.neighbours import all_pairs

FAST = Settings(hidden=(16,), max_steps=30, patience=15)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


@pytest.fixture(scope="module")
def fitted():
    x, y = gaussian(200, 6, 1.5, 0)
    return sm.LMI(preset=FAST, n_splits=1).fit(x, y), x, y


def test_the_diagonal_is_pmi(fitted):
    model, x, y = fitted
    scores = model.score_pairs(x[:30], y[:30])
    np.testing.assert_array_equal(np.diag(scores), model.pmi(x[:30], y[:30]))
    assert np.diag(scores).mean() > scores.mean() + 0.5  # pairs are of 1.5 bits, strangers of less than 0


def test_blocks_make_no_difference(fitted, monkeypatch):
    model, x, y = fitted
    whole = model.score_pairs(x[:31], y[:23])
    monkeypatch.setattr(all_pairs, "BLOCK_BYTES", 16 * 100 * 4)  # 4 rows at once
    np.testing.assert_array_equal(model.score_pairs(x[:31], y[:23]), whole)


def test_scores_stream_to_a_file(fitted, tmp_path):
    model, x, y = fitted
    out = np.memmap(tmp_path / "scores", dtype=np.float32, mode="w+", shape=(20, 30))
    assert model.score_pairs(x[:20], y[:30], out=out) is out
    np.testing.assert_array_equal(out, model.score_pairs(x[:20], y[:30]).astype(np.float32))


def test_the_best_partners(fitted, monkeypatch):
    model, x, y = fitted
    monkeypatch.setattr(all_pairs, "BLOCK_BYTES", 16 * 100 * 4)
    scores = model.score_pairs(x[:9], y[:30])
    table = model.score_pairs(x[:9], y[:30], top_k=4)
    assert table.columns.tolist() == ["x", "y", "pmi"]
    np.testing.assert_array_equal(table["x"], np.repeat(np.arange(9), 4))
    np.testing.assert_array_equal(table["pmi"], scores[table["x"], table["y"]])
    np.testing.assert_array_equal(table["pmi"].to_numpy().reshape(9, 4), -np.sort(-scores, axis=1)[:, :4])
    assert len(model.score_pairs(x[:9], y[:3], top_k=4)) == 27


def test_bad_requests(fitted):
    model, x, y = fitted
    with pytest.raises(ValueError, match="pass one of them"):
        model.score_pairs(x, y, out=np.empty((200, 200)), top_k=3)
    with pytest.raises(ValueError, match=r"`out` has shape \(3, 4\)"):
        model.score_pairs(x, y, out=np.empty((3, 4)))
    with pytest.raises(ValueError, match="`top_k` must be at least 1"):
        model.score_pairs(x, y, top_k=0)


def by_hand(model, x, y, neighbours):
    return np.mean(
        [
            log_density_ratio(
                fold.encode_x(x), fold.encode_y(y), fold.held_out.x, fold.held_out.y, k=k, metric="euclidean"
            )
            for fold, k in zip(model.folds_, neighbours, strict=True)
        ],
        axis=0,
    )


def test_by_default_there_are_as_many_neighbours_as_a_single_value_needs(fitted):
    model, x, y = fitted
    best = [ratio_neighbours(3, 100, 2 * fold.n_latent) for fold in model.folds_]
    np.testing.assert_array_equal(model.pmi(x, y), by_hand(model, x, y, best))
    # And no fewer than the estimate was made with.
    many = sm.LMI(preset=FAST, n_splits=1, k=20, n_permutations=0).fit(x, y)
    np.testing.assert_array_equal(many.pmi(x, y), by_hand(many, x, y, [20, 20]))


def test_neighbours_can_be_chosen(fitted):
    model, x, y = fitted
    expected = by_hand(model, x, y, [7, 7])
    np.testing.assert_array_equal(model.pmi(x, y, k=7), expected)
    np.testing.assert_array_equal(np.diag(model.score_pairs(x, y, k=7)), expected)
    assert [len(fold.held_out) for fold in model.folds_] == [100, 100]
    for bad, error, message in ((0, ValueError, "`k` must be at least 1"), (101, TooFew, "k=101 needs at least 101")):
        with pytest.raises(error, match=message):
            model.pmi(x, y, k=bad)
        with pytest.raises(error, match=message):
            model.score_pairs(x, y, k=bad)
