"""The paper's preprocessing of expression, through Scanpy's own functions."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import check_is_anndata, layer_names
from scmi._writing import Slots, write_together
from scmi.estimators.inputs.checks import check_counts
from scmi.estimators.inputs.stored import is_sparse

if TYPE_CHECKING:
    from anndata import AnnData

_KEY = "recipe_lmi"
_TARGET_SUM = 1e4
_CLIP = 10.0

# exp(20) is 5e8: no logarithm of counts reaches it, and few columns of anything else stay below.
MAX_LOG = 20.0

# Below this ratio of standard deviation to mean, Scanpy's variance of a float32 column is rounding error, which may
# come out negative and turn into NaN.
_MIN_VARIATION = 1e-3

_BLOCK = 1 << 22


@with_shared_docs
def recipe_lmi(
    adata: AnnData, *, layer: str | None = None, n_top_genes: int = 1000, copy: bool = False
) -> AnnData | None:
    """Preprocess counts as the paper does: normalise, log, mark variable genes, unit variance, clip.

    In this order: total counts of each cell to 10,000 (`scanpy.pp.normalize_total`), `log(1 + x)`
    (`scanpy.pp.log1p`), the most variable genes (`scanpy.pp.highly_variable_genes`, its default flavour), unit
    variance (`scanpy.pp.scale` with `zero_center=False`), and clipping at 10 standard deviations above the mean of a
    gene. Genes are not centred, so that sparse matrices stay sparse: the estimator centres by its training half, and
    clips below, anyway. What it gets is what the paper's `scanpy.pp.scale(max_value=10)` gives. (Clipping uncentred
    values at 10 would not: it flattens genes whose mean is more than 10 standard deviations.)

    All genes are kept. The most variable ones are marked in `.var["highly_variable"]`, which the tools of this package
    use by default. As in Scanpy, genes tied at the cut are all marked; if there are fewer genes than `n_top_genes`,
    all that vary are. Genes that do not vary are never marked and not scaled.

    Parameters
    ----------
    adata
        Cells x genes: counts (any numeric type, dense or sparse), or values that are normalised but not logged. Data
        that are already logged are recognised, warned about, and neither normalised nor logged again.
    {layer}
        The others are left as they are.
    n_top_genes
        How many genes to mark.
    {copy}

    Returns
    -------
    None, or with `copy=True` the changed copy. Sets the following fields:

    `adata.X` or `adata.layers[layer]` : float32 matrix, sparse as CSR
        Preprocessed values.
    `adata.var["highly_variable"]` : bool Series
        The genes to use.
    `adata.var["means"]`, `["dispersions"]`, `["dispersions_norm"]` : float Series
        Written by `highly_variable_genes`; the dispersion of a gene that does not vary is NaN, as in Scanpy.
    `adata.var["mean"]`, `["std"]` : float Series
        Of the logged values, written by `scale`.
    `adata.uns["recipe_lmi"]` : dict
        `layer` ("X" for `.X`) and `n_top_genes`.
    `adata.uns["hvg"]`, and for `.X` `adata.uns["log1p"]` : dict
        Scanpy's own notes.

    Raises
    ------
    TypeError
        If `adata` is not an AnnData, or its matrix is lazy or does not hold numbers.
    KeyError
        If there is no such layer.
    ValueError
        If `adata` is a view, backed by a file or empty; if the recipe has run on this matrix before; if values are
        negative, NaN or infinite, or already scaled to unit variance; if no gene varies; if `n_top_genes` is below 1.

    Warns
    -----
    UserWarning
        If the data are already logged.

    References
    ----------
    Appendix A.4.2 of Gowri et al., "Approximating mutual information of high-dimensional variables using learned
    representations", NeurIPS 2024.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import scmi as sm
    >>> adata = ad.AnnData(np.random.default_rng(0).poisson(2.0, size=(50, 20)))
    >>> sm.pp.recipe_lmi(adata, n_top_genes=5)
    >>> adata.uns["recipe_lmi"]
    {'layer': 'X', 'n_top_genes': 5}
    >>> adata.X.std(axis=0, ddof=1).round(3)[:3]
    array([1., 1., 1.], dtype=float32)
    """
    n_top_genes = _check_call(adata, layer, n_top_genes, copy)
    where = ".X" if layer is None else f".layers[{layer!r}]"
    x = _own_float32(_matrix(adata, layer, where), where)
    _check_values(adata, x, where)
    logged, remark = _is_logged(adata, x, layer, where)
    if remark:
        warnings.warn(remark, UserWarning, stacklevel=2)

    done = _run_scanpy(x, n_top_genes, adata.uns.get("log1p") if layer is None else None, logged=logged, where=where)

    adata = adata.copy() if copy else adata
    _store(adata, done, layer, n_top_genes)
    logger.info("%s preprocessed: %d of %d genes marked", where, int(done.var["highly_variable"].sum()), done.n_vars)
    return adata if copy else None


def _check_call(adata: AnnData, layer: str | None, n_top_genes: int, copy: bool) -> int:
    check_is_anndata(adata, "adata")
    check_counts(n_top_genes=n_top_genes)
    n_top_genes = operator.index(n_top_genes)
    if adata.isbacked:
        raise ValueError("`adata` is backed by a file: load it with `adata = adata.to_memory()` first.")
    if adata.is_view and not copy:
        raise ValueError(
            "`adata` is a view, and what is written to a view is lost: take `adata = adata[...].copy()` first, "
            "or pass `copy=True` and keep what is returned."
        )
    if 0 in adata.shape:
        raise ValueError(f"`adata` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"Did not find {layer!r} in `.layers`, which has {layer_names(adata)}.")
    slot = "X" if layer is None else layer
    if _KEY in adata.uns and adata.uns[_KEY].get("layer") == slot:
        where = "`.X`" if layer is None else f"`.layers[{layer!r}]`"
        raise ValueError(
            f'`.uns["{_KEY}"]` says that {where} went through this recipe already. '
            f"If it holds raw counts again, `del adata.uns[{_KEY!r}]` first."
        )
    return n_top_genes


def _matrix(adata: AnnData, layer: str | None, where: str) -> Any:
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise ValueError(f"`{where}` is None: pass `layer=`, one of {layer_names(adata)}.")
    if hasattr(matrix, "compute"):
        raise TypeError(f"`{where}` is lazy ({type(matrix).__name__}): load it with `adata.to_memory()` first.")
    if matrix.dtype.kind not in "buif":
        raise TypeError(f"`{where}` must hold real numbers, got {matrix.dtype}.")
    return matrix


def _own_float32(matrix: Any, where: str) -> Any:
    """A C-ordered or CSR copy: Scanpy writes in place, and the user's array may serve as `.layers["counts"]` too."""
    with np.errstate(over="ignore"):
        if not is_sparse(matrix):
            return np.array(matrix, dtype=np.float32, order="C")
        # Scanpy reads sparse arrays as if they were matrices, and some of its versions fail on them.
        x = sp.csr_matrix(matrix, dtype=np.float32, copy=True)
    x.sum_duplicates()
    return x


def _values(x: Any) -> NDArray[np.float32]:
    """The stored values, flat."""
    return np.asarray(x.data if is_sparse(x) else x.reshape(-1))


def _blocks(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(values), _BLOCK):
        yield values[start : start + _BLOCK]


def _check_values(adata: AnnData, x: Any, where: str) -> None:
    raw = "Pass raw counts, such as `layer='counts'`."
    values = _values(x)
    n_bad = sum(int(np.count_nonzero(~np.isfinite(block))) for block in _blocks(values))
    if n_bad:
        cell, gene = _position(adata, x, int(np.argmin(np.isfinite(values))))
        raise ValueError(
            f"`{where}` has {n_bad} values that are NaN or infinite, the first in cell {cell!r}, gene {gene!r}. "
            "Remove or fill them first."
        )
    if values.size and values.min() < 0:
        cell, gene = _position(adata, x, int(np.argmax(values < 0)))
        raise ValueError(
            f"`{where}` has negative values, the first in cell {cell!r}, gene {gene!r}: it looks centred or scaled. "
            f"{raw}"
        )
    if _looks_scaled(x, values):
        raise ValueError(f"`{where}` looks scaled: most of its genes have unit variance already. {raw}")


def _position(adata: AnnData, x: Any, at: int) -> tuple[str, str]:
    """Names of cell and gene of a stored value."""
    if is_sparse(x):
        row, column = int(np.searchsorted(np.asarray(x.indptr), at, side="right")) - 1, int(x.indices[at])
    else:
        row, column = divmod(at, x.shape[1])
    return str(adata.obs_names[row]), str(adata.var_names[column])


def _is_whole(values: NDArray[np.float32]) -> bool:
    return all(bool(np.array_equal(block, np.rint(block))) for block in _blocks(values))


def _looks_scaled(x: Any, values: NDArray[np.float32]) -> bool:
    """Whether most genes that vary have unit variance: exactly, or nearly and at most 10, as clipping leaves them.

    The share is asked for, not the median alone: standard deviations of logged data often have a median near 1.
    """
    if _is_whole(values):
        return False
    _, sd = _moments(x)
    off = np.abs(sd[sd > 0] - 1)
    if not off.size:
        return False
    clipped = values.max() <= _CLIP * (1 + 1e-6) and np.mean(off <= 0.1) >= 0.5
    return bool(clipped or np.mean(off <= 1e-3) >= 0.5)


def _moments(x: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (ddof 1) of each column, in float64."""
    n, n_columns = x.shape
    total, squares = np.zeros(n_columns), np.zeros(n_columns)
    if is_sparse(x):
        for start in range(0, x.nnz, _BLOCK):
            column, value = x.indices[start : start + _BLOCK], x.data[start : start + _BLOCK].astype(np.float64)
            total += np.bincount(column, weights=value, minlength=n_columns)
            squares += np.bincount(column, weights=value**2, minlength=n_columns)
    else:
        step = max(1, _BLOCK // n_columns)
        for start in range(0, n, step):
            block = x[start : start + step].astype(np.float64)
            total += block.sum(axis=0)
            squares += np.einsum("ij,ij->j", block, block)
    mean = total / n
    variance = np.maximum(squares - n * mean**2, 0) / max(n - 1, 1)
    return mean, np.sqrt(variance)


def _is_logged(adata: AnnData, x: Any, layer: str | None, where: str) -> tuple[bool, str]:
    """Whether to skip normalisation and log, and what the user should hear about it."""
    noted = layer is None and "log1p" in adata.uns
    values = _values(x)
    if _is_whole(values):
        remark = f"`.uns['log1p']` says that `{where}` is logged, but it holds whole numbers: it is taken for counts."
        return False, remark if noted else ""
    largest = float(values.max())
    if noted and largest >= MAX_LOG:
        raise ValueError(
            f"`.uns['log1p']` says that `{where}` is logged, but its largest value is {largest:.4g}. "
            "If it is not, `del adata.uns['log1p']` first; if it is scaled, pass raw counts, such as `layer='counts'`."
        )
    if noted:
        why = "`.uns['log1p']` says so"
    elif largest < MAX_LOG and not _equal_totals(x):
        why = f"fractions, unequal totals, none above {largest:.3g}"
    else:
        return False, ""
    return True, (
        f"`{where}` is already logged ({why}): it is neither normalised nor logged again. "
        "If that is wrong, pass raw counts, such as `layer='counts'`."
    )


def _equal_totals(x: Any) -> bool:
    totals = np.asarray(x.sum(axis=1, dtype=np.float64)).ravel()
    totals = totals[totals > 0]
    return bool(np.ptp(totals) <= 1e-3 * totals.max())


def _run_scanpy(x: Any, n_top_genes: int, log1p_note: Any, *, logged: bool, where: str) -> AnnData:
    """Scanpy's sequence on an object of its own, so that a failure half way leaves the user's untouched."""
    import scanpy as sc
    from anndata import AnnData

    work = AnnData(x)
    with warnings.catch_warnings():
        # An empty cell stays zero, and a gene without dispersion is not marked: both are said in the docstring.
        warnings.filterwarnings("ignore", "Some cells have zero counts", UserWarning)
        warnings.filterwarnings("ignore", "`n_top_genes`.* > number of normalized dispersions", UserWarning)
        if not logged:
            sc.pp.normalize_total(work, target_sum=_TARGET_SUM)
            sc.pp.log1p(work)
        elif log1p_note is not None:
            # `highly_variable_genes` undoes the log, and looks up its base here.
            work.uns["log1p"] = dict(log1p_note)
        mean, sd = _moments(work.X)
        flat = sd <= _MIN_VARIATION * mean
        if flat.all():
            raise ValueError(
                f"No gene varies in `{where}` after normalisation ({work.n_obs} cells): "
                "there is nothing to choose or to scale."
            )
        constant = _swap_columns(work.X, flat, 0.0)
        _mark_variable(work, ~flat, n_top_genes, where)
        sc.pp.scale(work, zero_center=False)
    _clip_above(work.X, (work.var["mean"] / work.var["std"] + _CLIP).to_numpy(dtype=np.float32))
    _swap_columns(work.X, flat, constant)
    base = work.uns.get("log1p", {}).get("base")
    expressed = flat & (mean > 0)
    work.var.loc[expressed, "means"] = mean[expressed] * (1.0 if base is None else np.log(base))
    work.var.loc[expressed, "mean"] = mean[expressed]
    return work


def _mark_variable(work: AnnData, varying: NDArray[np.bool_], n_top_genes: int, where: str) -> None:
    import scanpy as sc

    if n_top_genes >= varying.sum():
        # Nothing to rank, and Scanpy, ranking all the same, drops genes that have no dispersion to compare with.
        sc.pp.highly_variable_genes(work)
        work.var["highly_variable"] = varying
        return
    try:
        sc.pp.highly_variable_genes(work, n_top_genes=n_top_genes)
    except IndexError as error:
        raise ValueError(
            f"Scanpy can't rank the genes of `{where}`, which all have the same dispersion: "
            f"pass `n_top_genes={work.n_vars}` to mark them all."
        ) from error


def _clip_above(x: Any, ceiling: NDArray[np.float32]) -> None:
    if is_sparse(x):
        np.minimum(x.data, ceiling[x.indices], out=x.data)
    else:
        np.minimum(x, ceiling, out=x)


def _swap_columns(x: Any, columns: NDArray[np.bool_], values: float | NDArray[np.float32]) -> NDArray[np.float32]:
    """Write `values` into the stored entries of some columns, and return what was there."""
    if is_sparse(x):
        at = columns[x.indices]
        before: NDArray[np.float32] = x.data[at]
        x.data[at] = values
    else:
        before = x[:, columns]
        x[:, columns] = values
    return before


def _store(adata: AnnData, done: AnnData, layer: str | None, n_top_genes: int) -> None:
    before = adata.X if layer is None else adata.layers[layer]
    result = sp.csr_array(done.X) if isinstance(before, sp.sparray) else done.X
    notes = {"hvg": done.uns["hvg"], _KEY: {"layer": "X" if layer is None else layer, "n_top_genes": n_top_genes}}
    if layer is None and "log1p" in done.uns:
        notes["log1p"] = done.uns["log1p"]
    write_together(
        Slots(
            target=adata,
            matrix=result if layer is None else None,
            layers={} if layer is None else {layer: result},
            var={column: done.var[column].to_numpy() for column in done.var.columns},
            uns=notes,
        )
    )
