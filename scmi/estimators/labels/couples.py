"""The information in labels of cells that are paired by barcode: estimate, error, test, and its parts."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from scmi.estimators.inference.heldout import one_of_each
from scmi.estimators.inference.interval import interval
from scmi.estimators.inference.permutation import check_exchangeable, p_value
from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.inputs.pairing import Pairing
from scmi.typing import Bits, Index, Values

from .joint import Joint, Weights, permuted
from .result import SharedLabelResult
from .targets import Targets

__all__ = ["Strata", "shared_labels"]

FEWEST_BARCODES = 20
# A stratum of fewer is counted in the whole, but has no number of its own.
FEWEST_IN_STRATUM = 5
# What chance gives is taken off as the mean of no fewer permutations, whatever the test was asked for.
FEWEST_PERMUTATIONS = 99
# Where permuted partners show more of the entropy than this, a table says nothing.
SATURATED = 0.9
# Columns of the table of strata.
STRATA = ("stratum", "n_barcodes", "mi", "se", "p")


class Strata(NamedTuple):
    """A number for each barcode, and what the numbers stand for."""

    codes: Index
    names: list[str]


class _Side(NamedTuple):
    """The cells of one side that are in couples: cell ``rows[i]`` is one of barcode ``barcode[i]``, and its labels."""

    rows: Index
    barcode: Index
    shares: Values
    names: list[str]
    counts: Values


class _Estimate(NamedTuple):
    """What is left of a plug-in of the bits once chance is taken off, by what it is stretched, and how sure it is."""

    plugin: float
    bits: Bits
    mi: float
    se: float
    scale: float

    @property
    def null(self) -> Bits:
        """Permutations, corrected as the estimate is."""
        return np.asarray(self.scale * (self.bits - self.bits.mean()))


def shared_labels(
    a: Targets,
    b: Targets,
    pairing: Pairing,
    weights: Weights,
    strata: Strata | None,
    n_permutations: int,
    rng: np.random.Generator,
) -> SharedLabelResult:
    """The estimate of :func:`shared_label_information`, of cells that are paired already and all have labels."""
    stratum = np.zeros(len(pairing), np.int64) if strata is None else strata.codes
    order = np.argsort(stratum, kind="stable")
    pairing, stratum = pairing.take(order, pairing.groups[order]), stratum[order]
    sides = _side(a, pairing.indptr_x, pairing.rows_x), _side(b, pairing.indptr_y, pairing.rows_y)
    _check(sides, pairing.groups, stratum)
    n_cells = [side.counts.sum(axis=1, keepdims=True) for side in sides]
    weight = (n_cells[0] * n_cells[1])[:, 0] if weights == "couples" else np.ones(len(pairing))
    joint = Joint(sides[0].counts / n_cells[0], sides[1].counts / n_cells[1], weight, stratum)
    entropy = min(joint.entropies)
    if entropy == 0:
        raise ValueError("The labels of a side don't vary within `strata`: pass coarser strata, or none.")
    chance = permuted(joint, max(n_permutations, FEWEST_PERMUTATIONS), rng)
    pooled = _corrected(joint, float(joint.parts.sum()), chance.bits, joint.influence, pairing.groups)
    p = _p_value(joint, chance.bits, pairing.groups, n_permutations, rng)
    found, table = pooled, pd.DataFrame(columns=list(STRATA))
    if strata is not None:
        found, table = _within(joint, pairing.groups, strata.names, n_permutations, rng)
    if np.isnan(found.scale):
        raise TooFew(
            f"The labels are too many for {len(pairing)} shared barcodes: other partners show {found.bits.mean():.2f} "
            f"bits of {entropy:.2f} as well. Join labels, or pass coarser `strata` or none."
        )
    pmi = _of_cells(joint, sides, n_cells, (len(a.shares), len(b.shares)))
    with np.errstate(divide="ignore", invalid="ignore"):
        confusion = np.log2(joint.p / joint.expected)
    return SharedLabelResult(
        mi=found.mi,
        se=found.se,
        ci=interval(found.mi, found.se),
        p=p,
        null=found.null[:n_permutations],
        entropy=entropy,
        share=found.mi / entropy,
        mi_pooled=pooled.mi,
        mi_plugin=pooled.plugin,
        pmi_a=pmi[0],
        pmi_b=pmi[1],
        table_a=_table(joint, sides[0], pairing.groups, pooled.scale, chance.a),
        table_b=_table(joint.turned(), sides[1], pairing.groups, pooled.scale, chance.b),
        confusion=pd.DataFrame(confusion, index=sides[0].names, columns=sides[1].names),
        strata=table,
        n_barcodes=len(pairing),
        n_cells_a=len(np.unique(sides[0].rows)),
        n_cells_b=len(np.unique(sides[1].rows)),
    )


def _side(targets: Targets, indptr: Index, rows: Index) -> _Side:
    barcode = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    shares = targets.shares[rows]
    present = shares.sum(axis=0) > 0
    shares = shares[:, present]
    counts = np.zeros((len(indptr) - 1, shares.shape[1]))
    np.add.at(counts, barcode, shares)
    names = [name for name, is_there in zip(targets.names, present, strict=True) if is_there]
    return _Side(rows, barcode, shares, names, counts)


def _check(sides: tuple[_Side, _Side], groups: Index, stratum: Index) -> None:
    n = len(np.unique(groups))
    if n < FEWEST_BARCODES:
        raise TooFew(
            f"Only {n} independent barcodes are shared by labelled cells; {FEWEST_BARCODES} or more are needed."
        )
    for side, name in zip(sides, ("first", "second"), strict=True):
        if len(side.names) < 2:
            raise ValueError(
                f"The labels of the {name} side are {side.names} in all cells with a shared barcode: information about "
                "labels needs two or more."
            )
    check_exchangeable([stratum])


def _corrected(joint: Joint, plugin: float, bits: Bits, influence: Bits, groups: Index) -> _Estimate:
    """Take off the mean of permutations; what settles everything keeps its entropy. NaN where these nearly reach it."""
    most, by_chance = min(joint.entropies), float(bits.mean())
    scale = most / (most - by_chance) if by_chance < SATURATED * most else np.nan
    error = float(_error(influence[:, None], joint.weight, groups)[0])
    return _Estimate(plugin, bits, scale * (plugin - by_chance), scale * error, scale)


def _p_value(joint: Joint, bits: Bits, groups: Index, n_permutations: int, rng: np.random.Generator) -> float:
    if n_permutations == 0:
        return np.nan
    if len(np.unique(groups)) == len(groups):
        return p_value(float(joint.parts.sum()), bits[:n_permutations])
    # Barcodes that share cells are not exchangeable one by one.
    apart = joint.take(one_of_each(groups, rng))
    return p_value(float(apart.parts.sum()), permuted(apart, n_permutations, rng).bits)


def _error(deviation: Values, weight: Values, groups: Index) -> Values:
    """Standard error of weighted means of barcodes, of which those of a group hang together."""
    number = np.unique(groups, return_inverse=True)[1]
    n = int(number.max()) + 1
    summed = np.zeros((n, deviation.shape[1]))
    np.add.at(summed, number, weight[:, None] * deviation)
    return np.asarray(np.sqrt((summed**2).sum(axis=0) * n / max(n - 1, 1)) / weight.sum())


def _within(
    joint: Joint, groups: Index, names: list[str], n_permutations: int, rng: np.random.Generator
) -> tuple[_Estimate, pd.DataFrame]:
    """The mean over tables of every stratum, corrected as a whole, since few barcodes tell little; and one by one."""
    n = max(n_permutations, FEWEST_PERMUTATIONS)
    plugin, bits, of_barcodes, rows = 0.0, np.zeros(n), np.empty(len(joint)), []
    for k, share in zip(np.unique(joint.stratum), joint.margins[2], strict=True):
        members = np.flatnonzero(joint.stratum == k)
        part = joint.take(members)
        found = _corrected(part, float(part.parts.sum()), permuted(part, n, rng).bits, part.influence, groups[members])
        plugin += float(share) * found.plugin
        bits += share * found.bits
        of_barcodes[members] = found.plugin + part.influence
        mi, se, p = np.nan, np.nan, np.nan
        if len(np.unique(groups[members])) >= FEWEST_IN_STRATUM and not np.isnan(found.scale):
            mi, se = found.mi, found.se
            p = _p_value(part, found.bits, groups[members], n_permutations, rng)
        rows.append((names[k], len(members), mi, se, p))
    whole = _corrected(joint, plugin, bits, of_barcodes - plugin, groups)
    return whole, pd.DataFrame(rows, columns=list(STRATA))


def _of_cells(joint: Joint, sides: tuple[_Side, _Side], n_cells: list[Values], n: tuple[int, int]) -> tuple[Bits, Bits]:
    """Of each cell the mean over its partners, of all its barcodes; NaN for cells without any."""
    pmi = []
    by_partner = joint.b @ joint.log_ratio.T, joint.a @ joint.log_ratio
    for side, of_label, partners, size in zip(sides, by_partner, n_cells[::-1], n, strict=True):
        of_entry = (side.shares * of_label[side.barcode]).sum(axis=1)
        weight = partners[side.barcode, 0]
        total = np.bincount(side.rows, weight * of_entry, minlength=size)
        count = np.bincount(side.rows, weight, minlength=size)
        pmi.append(np.divide(total, count, out=np.full(size, np.nan), where=count > 0))
    return pmi[0], pmi[1]


def _table(joint: Joint, side: _Side, groups: Index, scale: float, chance: Bits) -> pd.DataFrame:
    """What each label of the first side tells; ``chance`` is what permutations give to each."""
    share, told = joint.told
    mi = scale * (share * told - chance.mean(axis=0))
    _, first = np.unique(side.rows, return_index=True)
    return pd.DataFrame(
        {
            "label": side.names,
            "n": side.shares[first].sum(axis=0),
            "p": share,
            "pmi": mi / share,
            "se": scale * _error(joint.influence_on_labels, joint.weight, groups),
            "mi": mi,
            "n_barcodes": (side.counts > 0).sum(axis=0),
        }
    )
