"""Whether the barcodes of two sides are plausible as such, and what to say where they aren't."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._warnings import warn
from scmi.estimators.inputs.stored import is_sparse
from scmi.pp.barcodes import Barcodes, some
from scmi.typing import Index

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["check_shares", "may_hold_barcodes", "nothing_shared", "warn_of_recurring", "warn_of_unmatched"]

# Names are told of where fewer of the smaller side's find a partner.
MATCHED_SHARE = 0.5
# Columns that hold barcodes have many values in common, by far more than clusters or donors, which stand beside them;
# and so many are named in a message.
FEWEST_SHARED, SHARE_OF_MOST, MOST_NAMED = 10, 0.1, 3
_DOMINANT_SHARE, _DOMINANT_MIN_CELLS = 0.9, 10
_IMPLAUSIBLE_SHARE, _IMPLAUSIBLE_MIN_CELLS, _IMPLAUSIBLE_MIN_BARCODES = 0.2, 50, 5


def warn_of_recurring(a: Barcodes, b: Barcodes, shared: pd.Index, column: str) -> None:
    """Tell of barcodes that several strata use, each for a clone of its own."""
    strata_of: dict[object, set[object]] = {}
    for side in (a, b):
        for label, stratum in side.labels:
            strata_of.setdefault(label, set()).add(stratum)
    n = sum(len(strata_of.get(label, ())) > 1 for label in shared)
    if n:
        warn(
            "recurring barcodes",
            f"{n} of {len(shared)} shared barcodes occur in more than one stratum of `{column}`. Cells are paired "
            "within each stratum only: the same barcode in two of them is two clones.",
        )


def warn_of_unmatched(a: Barcodes, b: Barcodes, n_shared: int) -> None:
    """Tell how many cell names found no partner, where most of the smaller side did not."""
    fewer = min(len(a.labels), len(b.labels))
    if a.slot == "names" and n_shared < MATCHED_SHARE * fewer:
        warn(
            "unmatched names",
            f"{fewer - n_shared} of {fewer} cell names of the smaller object have no partner of the same name; only "
            f"{n_shared} cells are paired. Check that both write their names alike: "
            f"{some(a.labels, 2)} and {some(b.labels, 2)}.",
        )


def may_hold_barcodes(adata_a: AnnData, adata_b: AnnData) -> list[str]:
    """Columns and sparse matrices of both objects that may pair their cells, those that share most first."""
    shared = {}
    for column in adata_a.obs.columns.intersection(adata_b.obs.columns):
        of_a, of_b = (adata.obs[column].dropna() for adata in (adata_a, adata_b))
        if not (pd.api.types.is_float_dtype(of_a.dtype) or pd.api.types.is_bool_dtype(of_a.dtype)):
            shared[column] = len(set(of_a) & set(of_b))
    matrices = [
        key
        for key, of_a in adata_a.obsm.items()
        if key in adata_b.obsm and is_sparse(of_a) and of_a.shape[1] == adata_b.obsm[key].shape[1]
    ]
    fewest = max(FEWEST_SHARED, SHARE_OF_MOST * max(shared.values(), default=0))
    columns = [column for column in sorted(shared, key=lambda name: -shared[name]) if shared[column] >= fewest]
    return [*matrices, *columns][:MOST_NAMED]


def nothing_shared(a: Barcodes, b: Barcodes, instead: Sequence[str]) -> str:
    """Why two sides may share no barcode, and what to try; ``instead`` names what else may pair their cells."""
    if a.slot == "names":
        named = " or ".join(f"`pair_key={key!r}`" for key in instead)
        return (
            f"No cell of `{a.name}` has the name of one of `{b.name}`: they are called {some(a.labels, 3)} and "
            f"{some(b.labels, 3)}. Without `pair_key`, cells are paired by their names; if clonal barcodes pair them, "
            f"name what holds these{f', perhaps {named}' if named else ''}."
        )
    message = (
        f"No barcode is shared: `{a.where}` has {len(a.labels)} barcodes ({some(a.labels, 3)}), "
        f"`{b.where}` has {len(b.labels)} ({some(b.labels, 3)})."
    )
    if a.kind != b.kind and "nothing" not in (a.kind, b.kind):
        return (
            f"{message} The first are {a.kind}, the second {b.kind}, and these never match: "
            "convert both with `.astype(str)`."
        )
    if "nothing" in (a.kind, b.kind):
        return f"{message} One side has no barcoded cell at all: check the column, and `na_values`."
    return f"{message} Check that both sides write their barcodes alike, or pass `pair_key=(key_a, key_b)`."


def check_shares(side: Barcodes, barcodes: NDArray[Any], n_cells: Index) -> None:
    """Refuse a barcode that nearly all cells carry, and warn of one that very many do."""
    n_barcoded = side.n_barcoded
    share = n_cells / n_barcoded
    largest = int(np.argmax(share))
    text = (
        f"In `{side.where}`, barcode {barcodes[largest]!r} covers {share[largest]:.0%} of the {n_barcoded} barcoded "
        "cells"
    )
    way_out = f"pass `na_values={barcodes[largest]!r}`" if side.slot == "obs" else "drop that column"
    if n_barcoded > _DOMINANT_MIN_CELLS and share[largest] > _DOMINANT_SHARE:
        raise ValueError(f"{text}, so that nearly all cells are one clone. If it means 'no barcode', {way_out}.")
    if (
        n_barcoded >= _IMPLAUSIBLE_MIN_CELLS
        and len(side.labels) > _IMPLAUSIBLE_MIN_BARCODES
        and share[largest] > _IMPLAUSIBLE_SHARE
    ):
        warn(
            f"large clone in {side.where}",
            f"{text}, which is much for one clone. If it means 'no barcode', {way_out}.",
        )
