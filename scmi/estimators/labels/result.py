"""What an estimate of information about labels returns."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scmi._words import Printed, bits_in_words, in_bits, p_in_words
from scmi.estimators.inference.attribution import FeatureInformation
from scmi.typing import Bits, Index

__all__ = ["LabelResult", "SharedLabelResult"]


@dataclass(frozen=True, kw_only=True, repr=False)
class LabelResult(Printed):
    """Information about labels, and its parts.

    Parameters
    ----------
    mi
        Mutual information in bits: the mean of ``pmi``. A lower bound by construction, since no model predicts better
        than the true probabilities; negative only by chance.
    se, ci
        Standard error over groups, and 90 % interval, in bits, the models being fixed.
    p, null
        One-sided, by permuting the labels of held-out groups (one cell of each); and what the permutations give, in
        bits. Log odds that calibration has all but silenced are tested at three tenths of their size, so that p is then
        not the share of ``null``; and where models say the same of every cell, p is 1.
    entropy
        H of the labels in bits (given the condition, where there is one): the most there is to know.
    share
        ``mi / entropy``.
    mi_ksg
        The same question by nearest neighbours among the held-out log odds, in bits; of one cell of each group.
    pmi
        Of each cell: log2 p(label | x) / p(label) in bits, by a model that never saw its group. NaN for cells without a
        label.
    pmi_local, pmi_local_se
        Its mean over the 30 cells nearest in principal components, itself among them, and the standard error of that
        over groups, in bits.
    log_odds
        Cells x labels: log2 p(label | x) / p(label), whatever its own label is.
    fold
        Which part the cell was predicted in; -1 for cells without a label.
    table
        A row per label: ``label``, ``n`` (cells), ``p`` (its share of them), ``pmi`` (mean bits of its cells, of
        -log2 ``p`` that there are) and its standard error ``se``, ``mi`` (what it adds to the whole), ``n_groups``.
    confusion
        Labels x labels, in bits: how much more likely than by its share the second label is held in cells of the first.
    columns
        How well the labels' means predict each column, held out: the share of its variance, with permuted null and p.
    kinds
        Which kind of model each part used.
    n_cells, n_groups
        How many were estimated.
    """

    mi: float
    se: float
    ci: tuple[float, float]
    p: float
    null: Bits = field(repr=False)
    entropy: float
    share: float
    mi_ksg: float
    pmi: Bits = field(repr=False)
    pmi_local: Bits = field(repr=False)
    pmi_local_se: Bits = field(repr=False)
    log_odds: Bits = field(repr=False)
    fold: Index = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    confusion: pd.DataFrame = field(repr=False)
    columns: FeatureInformation = field(repr=False)
    kinds: list[str]
    n_cells: int
    n_groups: int

    def __str__(self) -> str:
        return _sentence(self, self._counted())

    def _rows(self) -> dict[str, str]:
        return _rows(self, self._counted())

    def _counted(self) -> str:
        groups = "" if self.n_groups == self.n_cells else f" in {self.n_groups:,} groups"
        return f"{self.n_cells:,} cells{groups}"


@dataclass(frozen=True, kw_only=True, repr=False)
class SharedLabelResult(Printed):
    """Information that the labels of two sides have in common, and its parts.

    Parameters
    ----------
    mi
        The number to report, in bits: that of the table of labels, less what other partners give, and stretched so that
        labels which settle each other keep their entropy. Around 0, so at times below it, where there is nothing. With
        strata the information within them: the mean over a table of each, corrected as a whole.
    se, ci
        Standard error over barcodes, and 90 % interval, in bits.
    p, null
        One-sided, by permuting the second sides of barcodes within strata (one barcode of those that share cells); and
        what these permutations give, corrected as ``mi`` is. With strata p is of ``mi_pooled``, which few barcodes of
        many strata tell better, and is then not the share of ``null``.
    entropy
        H of the labels in bits, of the side that has less (within strata): the most there is to share.
    share
        ``mi / entropy``.
    mi_pooled
        From one table of all barcodes, against the one that independent labels within strata would have, in bits.
        Without strata it is ``mi``; with strata it is at most that, but for chance: what strata make look alike is
        lost.
    mi_plugin
        The mean of the pMI over all couples, weighted, in bits: ``mi_pooled`` before any correction.
    pmi_a, pmi_b
        Of each cell: the mean over its partners of log2 p(a, b) / q(a, b), in bits, with q the share that independent
        labels (within strata) would have. NaN for cells without a partner.
    table_a, table_b
        A row per label of the side: ``label``, ``n`` (cells in couples), ``p`` (its weighted share), ``pmi`` (mean bits
        of its couples, corrected; of -log2 ``p`` that there are) and its standard error ``se``, ``mi`` (what it adds to
        ``mi_pooled``), ``n_barcodes``.
    confusion
        Labels of the first side x labels of the second: log2 p(a, b) / q(a, b) in bits; -inf (the logarithm of 0) for
        couples that are never seen, which add nothing to ``mi``, and NaN for those that can't be, since no stratum has
        both.
    strata
        A row per stratum: ``stratum``, ``n_barcodes``, ``mi``, ``se`` and ``p`` of its barcodes alone; NaN for fewer
        than five, where labels are too many for them, or where those of a side are all alike.
    n_barcodes, n_cells_a, n_cells_b
        How many are in couples.
    """

    mi: float
    se: float
    ci: tuple[float, float]
    p: float
    null: Bits = field(repr=False)
    entropy: float
    share: float
    mi_pooled: float
    mi_plugin: float
    pmi_a: Bits = field(repr=False)
    pmi_b: Bits = field(repr=False)
    table_a: pd.DataFrame = field(repr=False)
    table_b: pd.DataFrame = field(repr=False)
    confusion: pd.DataFrame = field(repr=False)
    strata: pd.DataFrame = field(repr=False)
    n_barcodes: int
    n_cells_a: int
    n_cells_b: int

    def __str__(self) -> str:
        return _sentence(self, self._counted())

    def _rows(self) -> dict[str, str]:
        return _rows(self, self._counted())

    def _counted(self) -> str:
        return f"{self.n_barcodes:,} barcodes with {self.n_cells_a:,} and {self.n_cells_b:,} cells"


def _sentence(result: LabelResult | SharedLabelResult, counted: str) -> str:
    p = "" if np.isnan(result.p) else f", p {p_in_words(result.p)}"
    return (
        f"{in_bits(result.mi)} bits (90 %: {bits_in_words(result.ci)}) of {result.entropy:.2f}, a share of "
        f"{result.share:.2f}{p}, {counted}"
    )


def _rows(result: LabelResult | SharedLabelResult, counted: str) -> dict[str, str]:
    rows = {
        "mutual information": f"{in_bits(result.mi)} bits",
        "90 % interval": f"{bits_in_words(result.ci)} bits",
        "entropy of the labels": f"{result.entropy:.2f} bits",
        "share": f"{result.share:.2f}",
    }
    if not np.isnan(result.p):
        rows["p"] = p_in_words(result.p, "")
    return {**rows, "estimated from": counted}
