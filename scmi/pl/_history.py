"""The course of the training."""

from typing import TYPE_CHECKING

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi.pl._style import axes_or_new, legend_above, open_frame, shade

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["history"]


@with_shared_docs
def history(adata: "AnnData", *, key: str = "lmi", ax: "Axes | None" = None) -> "Axes":
    """How well networks predict, step by step of their training: one colour for each half of the barcodes.

    Pale lines are the losses on the pairs that the networks were trained on, full lines those on pairs kept from
    training, which tell when to stop; the dot is the least of them, and its weights were kept. Where full lines rise
    again while pale ones fall, the networks begin to learn single pairs by heart. Of several splits, the halves of the
    first are drawn. Where a simpler model of a half told more, the legend says that it was used in the networks' place.

    Parameters
    ----------
    {adata_with_lmi}
    {key}
    {ax}

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no estimate.
    ValueError
        If no network was trained, as by default with fewer than 2,000 barcodes.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> networks = sm.LMI(preset=sm.estimators.Settings(closed_form=False))
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=networks)
    >>> ax = sm.pl.history(adata)
    """
    if not holds(adata, "adata", key, "history", "params"):
        raise KeyError(f"Did not find `.uns[{key!r}]`. Run `sm.tl.lmi` first, or pass its `key_added` as `key`.")
    stored = adata.uns[key]
    if not len(stored["history"]):
        raise ValueError(
            f"`.uns[{key!r}]` has no networks: of less than 2,000 barcodes, latent models are learned in closed form, "
            "which has no course to draw. `model=sm.LMI(preset=Settings(closed_form=False))` trains networks alone."
        )
    kinds = list(stored["params"]["latent_model"])
    ax = axes_or_new(ax)
    n_drawn = len(kinds) // int(stored["params"]["n_splits"])
    history = stored["history"]
    for fold, losses in history[history["fold"] < n_drawn].groupby("fold"):
        color = shade(int(fold))
        kept = losses.iloc[int(losses["validation"].to_numpy().argmin())]
        kind = kinds[int(fold)]
        used = "" if kind == "network" else f"; {kind} model told more, and is used"
        ax.plot(losses["step"], losses["train"], color=color, alpha=0.35, linewidth=1)
        ax.plot(
            losses["step"],
            losses["validation"],
            color=color,
            label=f"half {int(fold) + 1}: best at step {int(kept['step'])}, kept{used}",
        )
        ax.plot(kept["step"], kept["validation"], "o", color=color)
    ax.plot([], [], color="gray", linewidth=1.5, label="pairs kept from training, which tell when to stop")
    ax.plot([], [], color="gray", alpha=0.35, linewidth=1, label="pairs trained on")
    ax.set(xlabel="training step", ylabel="prediction error (loss)")
    open_frame(ax)
    legend_above(ax, borderaxespad=0.5)
    return ax
