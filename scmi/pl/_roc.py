"""Receiver operating characteristic."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from scmi._docs import with_shared_docs
from scmi.pl._style import axes_or_new, foreground, open_frame, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scmi.tl import Interactions

__all__ = ["roc"]


@with_shared_docs
def roc(
    labels: "ArrayLike | Interactions",
    scores: "ArrayLike | Mapping[str, ArrayLike] | None" = None,
    *,
    ax: "Axes | None" = None,
) -> "Axes":
    """How well scores tell true from false: the receiver operating characteristic, with its area in the legend.

    Parameters
    ----------
    labels
        True or false for each item, such as whether a pair of proteins is known to interact. Or what
        :func:`scmi.tl.interactions` returns, whose mean curves are drawn with the bands that hold 95 % of the splits.
    scores
        A score for each item, higher for true; or several scores by name. Not with a result.
    {ax}

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If lengths differ, a score is NaN, or all labels are alike.

    Examples
    --------
    >>> import scmi as sm
    >>> ax = sm.pl.roc([True, False, True, False], {"LMI": [2.0, 0.5, 1.0, 1.5]})
    """
    from sklearn.metrics import auc, roc_curve

    from scmi.tl import Interactions

    if isinstance(labels, Interactions):
        if scores is not None:
            raise ValueError("A result of `sm.tl.interactions` brings its own curves; leave out `scores`.")
        return _draw_means(labels, axes_or_new(ax))
    if scores is None:
        raise TypeError("`scores` is missing: a score for each of the labels, higher for true.")
    truth = np.asarray(labels)
    if truth.ndim != 1 or not np.isin(truth, (0, 1)).all() or len(np.unique(truth)) != 2:
        raise ValueError("`labels` must be one-dimensional and hold both true and false, and nothing else.")
    named = dict(scores) if isinstance(scores, Mapping) else {"": scores}
    if not named:
        raise ValueError("`scores` is empty; pass a score for each of the labels.")
    curves = {}
    for name, given in named.items():
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"Scores {name!r} must be one number for each of {len(truth)} labels.") from error
        if values.shape != truth.shape or not np.isfinite(values).all():
            raise ValueError(
                f"Scores {name!r} must be one finite number for each of {len(truth)} labels, got shape {values.shape} "
                f"with {int((~np.isfinite(values)).sum())} NaN or infinite. Leave out items without a score."
            )
        curves[name] = roc_curve(truth.astype(bool), values, drop_intermediate=False)[:2]
    ax = axes_or_new(ax)
    for i, (name, (false, true)) in enumerate(curves.items()):
        label = f"{name} (AUC {auc(false, true):.2f})".lstrip()
        ax.plot(false, true, color=shade(i), label=label, clip_on=False)
    return _framed(ax)


def _draw_means(found: "Interactions", ax: "Axes") -> "Axes":
    auc = found.auc["mean"]
    for i, (kind, curve) in enumerate(found.roc.groupby("negatives", sort=False)):
        ax.fill_between(curve["fpr"], curve["low"], curve["high"], color=shade(i), alpha=0.2, linewidth=0)
        ax.plot(
            curve["fpr"],
            curve["tpr"],
            color=shade(i),
            label=f"{kind} negatives (AUC {auc[str(kind)]:.2f})",
            clip_on=False,
        )
    return _framed(ax)


def _framed(ax: "Axes") -> "Axes":
    ax.plot([0, 1], [0, 1], color=foreground(ax), linewidth=0.6, linestyle=":", zorder=0.5)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    open_frame(ax)
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    return ax
