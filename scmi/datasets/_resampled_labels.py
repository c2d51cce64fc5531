"""Real samples paired by coupled labels (section 3.2 of the paper)."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scmi._docs import with_shared_docs
from scmi.datasets._labels import Codes, agreement_of, draw_labels, plug_in
from scmi.datasets._sample import JointSample, check_bits, check_sizes
from scmi.estimators.inputs.checks import as_generator
from scmi.estimators.inputs.matrices import as_matrix
from scmi.typing import MatrixLike, Rng


@with_shared_docs
def resampled_labels(
    data: MatrixLike,
    labels: npt.ArrayLike,
    n_samples: int = 2000,
    bits: float = 0.5,
    *,
    rng: Rng = 0,
) -> JointSample:
    r"""Pairs of real samples that share what their labels share.

    Draws :math:`n` pairs of labels from a joint distribution with the wanted mutual information, and replaces each
    label by a row of ``data`` that has it. If rows tell their label without error, the rows of a pair share what the
    labels do.

    Labels are uniform over the :math:`L` different ones and agree with probability :math:`p`, all disagreements being
    equally likely; :math:`p` is the solution of

    .. math:: \log_2 L + p \log_2 p + (1 - p) \log_2 \frac{1 - p}{L - 1} = b .

    No row is drawn twice, neither on one side nor on both: copies break nearest-neighbour estimators, and rows on both
    sides could be recognised.

    Parameters
    ----------
    data
        Samples x features, dense or sparse. Of an AnnData: ``adata.X``.
    labels
        One per row of ``data``, of at least two kinds. Of an AnnData: ``adata.obs["cell_type"]``.
    {n_samples}
        Each label needs about ``2 * n_samples / L`` rows.
    bits
        Mutual information that pairs are drawn with, at most :math:`\log_2 L`.
    {rng}

    Returns
    -------
    The pairs and their labels. ``truth`` is the plug-in mutual information of the labels that were drawn, as in the
    paper, and ``pmi`` its pointwise values; it is near ``bits`` but not equal.

    Raises
    ------
    ValueError
        If a label has too few rows (the error says how many are needed), or a row has no label.

    References
    ----------
    Section 3.2 and theorem 4 of :cite:t:`Gowri2024`, for two labels.

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> cell_type = np.repeat(["B", "T"], 1000)
    >>> expression = rng.normal(size=(2000, 20)) + 5 * (cell_type == "B")[:, None]
    >>> sample = sm.datasets.resampled_labels(expression, cell_type, 900, bits=0.5)
    >>> sample.x.shape, round(sample.truth, 1)
    ((900, 20), 0.5)
    """
    matrix = as_matrix(data, "data")
    check_sizes(n_samples, 1)
    codes, names = encode_labels(labels, matrix.shape[0])
    check_bits(bits, 0.0, float(np.log2(len(names))), f"{len(names)} labels can't share more")

    for_labels, for_rows = as_generator(rng).spawn(2)
    first, second = draw_labels(n_samples, len(names), agreement_of(bits, len(names)), for_labels)
    rows_x, rows_y = draw_rows(codes, first, second, names, for_rows)
    truth, pmi = plug_in(first, second, len(names))
    return JointSample(
        x=matrix[rows_x],
        y=matrix[rows_y],
        truth=truth,
        pmi=pmi,
        labels_x=names[first],
        labels_y=names[second],
    )


def encode_labels(labels: npt.ArrayLike, n_rows: int) -> tuple[Codes, npt.NDArray[Any]]:
    """Each row's label as an index into the different ones."""
    values = np.asarray(labels)
    if values.shape != (n_rows,):
        raise ValueError(f"`labels` has shape {values.shape}, but `data` has {n_rows} rows; give one label per row.")
    codes, names = pd.factorize(values, sort=True)
    if (codes < 0).any():
        raise ValueError(
            f"{(codes < 0).sum()} of {n_rows} rows have no label; drop them from `data` and `labels` first."
        )
    if len(names) < 2:
        raise ValueError(f"`labels` holds {len(names)} kind of label; give at least two, to make pairs of.")
    return codes, np.asarray(names)


def draw_rows(
    codes: Codes, first: Codes, second: Codes, names: npt.NDArray[Any], rng: np.random.Generator
) -> tuple[Codes, Codes]:
    """A row of its label for every entry of ``first`` and ``second``, none of them twice."""
    wanted = np.concatenate([first, second])
    have, need = (np.bincount(some, minlength=len(names)) for some in (codes, wanted))
    if (have < need).any():
        short = ", ".join(f"label '{names[i]}' has {have[i]} and needs {need[i]}" for i in np.flatnonzero(have < need))
        raise ValueError(
            f"Too few rows to draw {len(first)} pairs without drawing one twice: {short}; lower `n_samples`, or leave "
            "out the rare labels."
        )
    rows = np.empty(len(wanted), dtype=np.intp)
    for label in range(len(names)):
        rows[wanted == label] = rng.permutation(np.flatnonzero(codes == label))[: need[label]]
    return rows[: len(first)], rows[len(first) :]
