"""Which genes carry the information."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import check_is_anndata, check_key_added, check_writable, gene_mask, holds
from scmi._writing import Slots, write_together
from scmi.estimators.inference.permutation import benjamini_hochberg
from scmi.tl._stored import REVERSE

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["gene_information"]


@explaining_arguments()
@with_shared_docs
def gene_information(
    adata: "AnnData",
    *,
    key: str = "lmi",
    reverse: bool = False,
    mask_var: str | NDArray[np.bool_] | None = None,
    key_added: str | None = None,
    copy: bool = False,
) -> "AnnData | None":
    """Rank genes by how well they are predicted from the other population's cells, with q-values.

    The cross-decoders of the latent model predict every gene of a cell from its relative. :func:`scmi.tl.lmi` has
    compared these predictions with the cells that training never saw, while it had the models; nothing is trained
    here. A gene's R2 is judged by its permuted null: the same predictions, with the partners permuted among the
    held-out pairs (see :class:`scmi.estimators.FeatureInformation`), and p-values are adjusted over the
    genes.

    A small reconstruction error alone says nothing about genes that hardly vary (appendix A.2.3 of
    :cite:t:`Gowri2024`); R2 is relative to a gene's variance, and genes without any score nothing.

    A small q says that a gene is predicted better than with other partners; R2 says how much better than by its mean,
    and may be below 0 where there is little: such a gene is told of, but next to nothing. Look at both.

    A gene at the top is *predictable*; it need not be a cause of anything, and genes that go together share their rank.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.lmi` has written to. Of two objects each has its own genes: rank each.
    {key}
    reverse
        Where two groups of one object were estimated: rank the genes of the first group, as predicted from the second,
        instead of those of the second group, as predicted from the first.
    mask_var
        Genes to rank, boolean ``.var`` column or array; fewer genes are fewer tests. By default all that were used.
        Choose them without a look at R2 or p.
    key_added
        Key of the table; by default ``f"{key}_genes"``.
    {copy}

    Returns
    -------
    None, or with ``copy=True`` the changed copy. Sets the following fields:

    `adata.var["lmi_r2_q"]` (`"lmi_r2_reverse_q"` with ``reverse``) : float Series
        Benjamini and Hochberg's adjusted p-values; NaN for genes that were not ranked.
    `adata.uns["lmi_genes"]` : dict
        `table`, a DataFrame with a row per gene, least p first (R2 pays for a decoder's wrong scale as well, which p
        does not, and puts fewer informative genes at the top): `gene`, `r2`, `null` (the R2 that 5 % of permutations
        reach), `p`, `q`; and `params`.

    Raises
    ------
    KeyError
        If there is no estimate, or it has no R2 of genes (of ``use_rep``, say).
    ValueError
        If the object is a view, or no gene to rank has an R2.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> sm.tl.gene_information(adata)
    >>> adata.uns["lmi_genes"]["table"].columns.tolist()
    ['gene', 'r2', 'null', 'p', 'q']
    """
    check_is_anndata(adata, "adata")
    if not copy:
        check_writable(adata, "adata")
    if key_added is not None:
        check_key_added(key_added)
    column = _column(adata, key, reverse=reverse)
    mask = gene_mask(adata, "adata", mask_var)
    r2, null, p = (adata.var[column + end].to_numpy(dtype=np.float64, copy=True) for end in ("", "_null", "_p"))
    if mask is not None:
        p[~mask] = np.nan
    ranked = np.flatnonzero(~np.isnan(p))
    if not len(ranked):
        raise ValueError(f"`.var[{column!r}]` has no value in any of the genes to rank.")

    q = benjamini_hochberg(p)
    best_first = ranked[np.lexsort((-r2[ranked], p[ranked]))]
    names = adata.var_names.to_numpy(dtype=object)
    table = pd.DataFrame({"gene": names, "r2": r2, "null": null, "p": p, "q": q}).iloc[best_first]

    if copy:
        adata = adata.copy()
    params = {
        "key": key,
        "reverse": reverse,
        "mask_var": mask_var if mask_var is None or isinstance(mask_var, str) else "array",
    }
    stored = {
        "table": table.set_index(np.arange(len(table)).astype(str)),
        "params": {name: value for name, value in params.items() if value is not None},
    }
    key_added = f"{key}_genes" if key_added is None else key_added
    write_together(Slots(target=adata, var={f"{column}_q": q}, uns={key_added: stored}))
    logger.info("%d of %d are predicted with q at most .05", int((q <= 0.05).sum()), len(ranked))
    return adata if copy else None


def _column(adata: "AnnData", key: str, *, reverse: bool) -> str:
    """Where the R2 is, or why there is none."""
    if not holds(adata, "adata", key, "params"):
        raise KeyError(f"Did not find `.uns[{key!r}]`. Run `sm.tl.lmi` first, or pass its `key_added` as `key`.")
    column = f"{key}_r2{REVERSE if reverse else ''}"
    if f"{column}_p" in adata.var.columns:
        return column
    params = adata.uns[key]["params"]
    if params.get("use_rep") is not None:
        raise KeyError(
            f"`.uns[{key!r}]` was estimated with use_rep={params['use_rep']!r}, whose columns are no genes. Run "
            "`sm.tl.lmi` on `.X` or a layer; for the columns of an array there is `sm.LMI`, with `information_x_`."
        )
    if reverse and params.get("groupby") is None:
        raise KeyError(
            "`reverse` is for two groups of one object. Here each of two objects has its own genes: pass the other one."
        )
    raise KeyError(f"Did not find `.var[{column!r}]` and its p-values. Run `sm.tl.lmi` again.")
