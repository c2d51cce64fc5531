"""Held-out proteins are nowhere in training; partners are told from strangers, and shuffled annotation from neither.

The real ligand-receptor pairs are in ``tests/benchmarks/test_proteins.py``.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc

import scmi as sm
from scmi.estimators.settings import Settings

LINEAR = sm.LMI(preset=Settings(hidden=(8,), max_steps=5), n_splits=1)


def world(n=150, per_ligand=2, noise=0.2, seed=0):
    """Receptors that resemble their ligands in 3 of 6 dimensions, ligands apart from receptors in the first."""
    rng = np.random.default_rng(seed)
    key = rng.normal(size=(n, 3))
    ligands = np.hstack([key, rng.normal(size=(n, 3))])
    receptors = np.hstack([key + noise * rng.normal(size=(n, 3)), rng.normal(size=(n, 3))])
    ligands[:, 3] += 4
    receptors[:, 3] -= 4
    embeddings = {f"L{i}": row for i, row in enumerate(ligands)} | {f"R{i}": row for i, row in enumerate(receptors)}
    near = np.argsort(((key[:, None] - key[None]) ** 2).sum(axis=2), axis=1)[:, :per_ligand]
    pairs = pd.DataFrame(
        {"ligand": np.repeat([f"L{i}" for i in range(n)], per_ligand), "receptor": [f"R{j}" for j in near.ravel()]}
    )
    return embeddings, pairs


@pytest.fixture(scope="module")
def found():
    # A split trains on 146 pairs, which can't show in full what these share.
    with pytest.warns(UserWarning, match="So much is shared that 146 pairs"):
        return sm.tl.interactions(*world(), n_repeats=4, held_out=0.3, n_shuffles=3, model=LINEAR)


@pytest.mark.slow
def test_partners_are_found(found):
    # Measured: 2.6 bits, .06 where shuffled, AUC .93.
    assert found.mi > 2
    assert found.null.max() < 0.3
    assert found.null.shape == (3,)
    assert found.auc.loc["role-matched", "mean"] > 0.85
    assert found.auc.index.tolist() == ["random", "role-matched"]
    assert f"AUC {found.auc.loc['role-matched', 'mean']:.3f} (role-matched negatives)" in str(found)


def test_tables(found):
    splits = found.splits
    assert len(splits) == 4 * 2
    assert splits["split"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (splits["n_training"] + splits["n_pairs"] < 300).all()
    by_kind = splits.pivot(index="split", columns="negatives", values="n_negatives")
    assert (by_kind["random"] > by_kind["role-matched"]).all()
    curve = found.roc[found.roc["negatives"] == "role-matched"]
    assert (np.diff(curve["tpr"]) >= 0).all()
    assert (curve["tpr"].iloc[0], curve["tpr"].iloc[-1]) == (0, 1)
    area = auc(curve["fpr"], curve["tpr"])
    assert area == pytest.approx(found.auc.loc["role-matched", "mean"], abs=0.02)


@pytest.mark.slow
def test_shuffled_annotation_tells_nothing():
    embeddings, pairs = world()
    shuffled = pairs.assign(receptor=np.random.default_rng(1).permutation(pairs["receptor"]))
    found = sm.tl.interactions(embeddings, shuffled, n_repeats=12, held_out=0.3, n_shuffles=1, model=LINEAR)
    # Over 5 shufflings: .47 to .53 (27 annotated pairs a split, whose AUC has a standard deviation of .06), and mutual
    # information -.12 to .05 bits.
    assert found.auc.loc["role-matched", "mean"] == pytest.approx(0.5, abs=0.08)
    assert found.mi == pytest.approx(0, abs=0.2)


# Of so few pairs.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_held_out_proteins_are_nowhere_in_training():
    embeddings, pairs = world(n=60)
    table = sm.pp.read_embeddings(embeddings)
    seen, asked = [], []

    class Watched(sm.LMI):
        def fit(self, x, y, groups=None):
            seen.append((x, y))
            return super().fit(x, y, groups)

        def score_pairs(self, x, y):
            asked.append(x)
            return super().score_pairs(x, y)

    model = Watched(preset=LINEAR.preset)
    sm.tl.interactions(table, pairs, n_repeats=3, held_out=0.3, n_shuffles=1, model=model)
    assert len(seen) == 1 + 1 + 3

    def names(vectors):
        distance = ((vectors[:, None] - table.to_numpy()[None]) ** 2).sum(axis=2)
        return set(table.index[distance.argmin(axis=1)])

    for (x, y), held in zip(seen[2:], asked, strict=True):
        assert len(names(held)) == 36
        assert not (names(x) | names(y)) & names(held)


@pytest.mark.slow
def test_same_seed_same_numbers():
    embeddings, pairs = world(n=60)
    options = {"n_repeats": 1, "held_out": 0.4, "n_shuffles": 1, "model": LINEAR}
    first, again, other = (sm.tl.interactions(embeddings, pairs, **options, rng=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.splits, again.splits)
    assert first.mi == again.mi
    assert first.mi != other.mi


def test_the_given_model_stays_as_it_was():
    embeddings, pairs = world(n=60)
    model = sm.LMI(**LINEAR.get_params())
    before = vars(model).copy()
    found = sm.tl.interactions(embeddings, pairs, n_repeats=1, held_out=0.4, n_shuffles=1, model=model, rng=7)
    assert vars(model) == before
    assert (found.params["rng"], found.params["n_permutations"], found.params["n_repeats"]) == (7, 999, 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:So much is shared:UserWarning")
def test_what_is_no_pair_is_left_out():
    embeddings, pairs = world(n=60)
    options = {"n_repeats": 1, "held_out": 0.4, "n_shuffles": 1, "model": LINEAR}
    expected = sm.tl.interactions(embeddings, pairs, **options)
    odd = pd.DataFrame({"ligand": ["L0", None, "L1"], "receptor": ["L0", "R1", pairs["receptor"][2]]})
    more = pd.concat([pairs, odd], ignore_index=True)
    assert sm.tl.interactions(embeddings, more, **options).mi == expected.mi
    more = pd.concat([pairs, pd.DataFrame({"ligand": ["X"], "receptor": ["R1"]})], ignore_index=True)
    with pytest.warns(UserWarning, match="1 of the paired proteins have no embedding .* 1 of 121 pairs are left out"):
        assert sm.tl.interactions(embeddings, more, **options).mi == expected.mi


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda p: p.assign(score=1.0), {}, ValueError, r"columns \['ligand', 'receptor', 'score'\]; expected two"),
        (lambda p: p.to_numpy(), {}, TypeError, "must be a DataFrame"),
        (lambda p: "no" + p, {}, ValueError, "none is left"),
        (lambda p: p, {"held_out": 0.9}, ValueError, "Only .* pairs to estimate from"),
        (lambda p: p, {"held_out": 1.5}, ValueError, "`held_out` is a share"),
        (lambda p: p, {"held_out": 0.01}, ValueError, "Split 0 holds out 3 of 300 proteins, with 0 annotated"),
        (lambda p: p, {"n_repeats": 0}, ValueError, "`n_repeats` must be at least 1"),
        (lambda p: p, {"n_shuffles": 0}, ValueError, "`n_shuffles` must be at least 1"),
        (lambda p: p, {"model": sm.LMI(k=0)}, ValueError, "`k` must be at least 1"),
        (lambda p: p, {"model": sm.LMI(k=2.5)}, TypeError, "integer"),
        (lambda p: p, {"model": sm.LMI(objective="all")}, ValueError, "objective='all'"),
        (lambda p: p, {"model": "default"}, TypeError, "`model` must be an LMI"),
        (lambda p: p[:0], {}, ValueError, "none with two different names"),
        (lambda p: p.assign(receptor=p["ligand"]), {}, ValueError, "none with two different names"),
        (lambda p: p.assign(receptor=np.nan), {}, ValueError, "none with two different names"),
    ],
)
def test_bad_requests(change, options, error, message):
    embeddings, pairs = world()
    with pytest.raises(error, match=message):
        sm.tl.interactions(embeddings, change(pairs), **{"model": LINEAR, **options})


@pytest.mark.parametrize(
    ("embeddings", "error", "message"),
    [
        ({}, ValueError, "embeddings are empty"),
        ({"L0": [1.0, 2.0], "R0": [1.0]}, ValueError, "differ in length: 'L0' has 2, 'R0' has 1"),
        ({"L0": [1.0, np.nan], "R0": [1.0, 2.0]}, ValueError, "1 names have NaN or infinite values, the first 'L0'"),
        ({"L0": ["a", "b"], "R0": ["c", "d"]}, TypeError, "must be numbers"),
        ([[1.0, 2.0]], TypeError, "must be a path, a dict or a DataFrame, got list"),
    ],
)
def test_bad_embeddings(embeddings, error, message):
    with pytest.raises(error, match=message):
        sm.tl.interactions(embeddings, world()[1], model=LINEAR)
