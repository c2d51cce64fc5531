"""The promises of real rows paired by coupled labels.

- Agreement gives the information wanted, by hand and solved for; the truth is the plug-in information of the draw.
- Rows are drawn once, with the label they stand for; where they don't suffice, the error says how many would.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scmi import datasets
from scmi.datasets._labels import agreement_information, agreement_of


def test_agreement_by_hand():
    # A binary symmetric channel of error 0.11 carries half a bit; four labels that always agree, two bits.
    assert agreement_information(0.89, 2) == pytest.approx(0.5, abs=1e-3)
    assert agreement_information(1.0, 4) == 2.0
    assert agreement_information(0.25, 4) == pytest.approx(0, abs=1e-12)
    # Three labels that never agree: log2 3 - log2 2.
    assert agreement_information(0.0, 3) == pytest.approx(np.log2(1.5))


@given(st.integers(2, 12), st.floats(0, 1))
def test_agreement_solves_for_the_information(n_labels, share):
    bits = share * np.log2(n_labels)
    assert agreement_information(agreement_of(bits, n_labels), n_labels) == pytest.approx(bits, abs=1e-9)


def labelled(sizes, n_features=3, form=np.asarray):
    """Rows that tell their number in column 0 and their label in column 1."""
    labels = np.repeat([f"type {i}" for i in range(len(sizes))], sizes)
    rows = np.column_stack([np.arange(len(labels)), np.repeat(np.arange(len(sizes)), sizes), np.ones(len(labels))])
    return form(rows[:, :n_features]), labels


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_array])
def test_resampled_rows_are_drawn_once_and_have_their_label(form):
    data, labels = labelled([400, 300, 350], form=form)
    sample = datasets.resampled_labels(data, labels, 400, bits=1.0)
    x, y = (side if isinstance(side, np.ndarray) else side.toarray() for side in (sample.x, sample.y))
    assert x.shape == y.shape == (400, 3)
    drawn = np.concatenate([x[:, 0], y[:, 0]]).astype(int)
    assert len(set(drawn)) == 800
    np.testing.assert_array_equal(labels[drawn[:400]], sample.labels_x)
    np.testing.assert_array_equal(labels[drawn[400:]], sample.labels_y)


def test_resampled_truth_is_the_plug_in_information_of_the_labels():
    data, labels = labelled([5000, 5000])
    sample = datasets.resampled_labels(data, labels, 4000, bits=0.3)
    joint = pd.crosstab(sample.labels_x, sample.labels_y, normalize=True).to_numpy()
    expected = stats.entropy(joint.sum(0)) + stats.entropy(joint.sum(1)) - stats.entropy(joint.ravel())
    assert sample.truth == pytest.approx(expected / np.log(2), abs=1e-12)
    assert sample.pmi.mean() == pytest.approx(sample.truth)
    # Standard deviation over 200 seeds: .013 bits; the largest of 200 values at independence: .0015.
    assert sample.truth == pytest.approx(0.3, abs=0.05)
    assert datasets.resampled_labels(data, labels, 4000, bits=0.0).truth < 0.003
    assert datasets.resampled_labels(data, labels, 4000, bits=1.0).truth == pytest.approx(1.0, abs=0.003)


def test_resampled_from_anndata():
    data, labels = labelled([60, 60])
    adata = ad.AnnData(
        sp.csr_matrix(data), obs=pd.DataFrame({"cell_type": pd.Categorical(labels)}, index=map(str, range(120)))
    )
    sample = datasets.resampled_labels(adata.X, adata.obs["cell_type"], 40, rng=1)
    np.testing.assert_array_equal(sample.x.toarray(), datasets.resampled_labels(data, labels, 40, rng=1).x)


def test_too_few_rows_name_the_label_and_how_many_it_needs():
    data, labels = labelled([500, 90])
    with pytest.raises(ValueError, match=r"label 'type 1' has 90 and needs 211; lower `n_samples`"):
        datasets.resampled_labels(data, labels, 200)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((4, 2)), ["a", "b"]), "`labels` has shape .2,., but `data` has 4 rows"),
        ((np.ones((4, 2)), ["a"] * 4), "1 kind of label"),
        ((np.ones((4, 2)), ["a", "b", None, "a"]), "1 of 4 rows have no label"),
        ((*labelled([9, 9]), 5, 1.5), "2 labels can't share more"),
    ],
)
def test_arguments_that_cannot_be_met(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.resampled_labels(*arguments)
