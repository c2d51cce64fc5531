"""Receiver operating characteristic."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from scmi._docs import with_shared_docs
from scmi.pl._style import axes_or_new, foreground, open_frame, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["roc"]


@with_shared_docs
def roc(labels: ArrayLike, scores: "ArrayLike | Mapping[str, ArrayLike]", *, ax: "Axes | None" = None) -> "Axes":
    """How well scores tell true from false: the receiver operating characteristic, with its area in the legend.

    Parameters
    ----------
    labels
        True or false for each item, such as whether a pair of proteins is known to interact.
    scores
        A score for each item, higher for true; or several scores by name.
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
    ax.plot([0, 1], [0, 1], color=foreground(ax), linewidth=0.6, linestyle=":", zorder=0.5)
    for i, (name, (false, true)) in enumerate(curves.items()):
        label = f"{name} (AUC {auc(false, true):.2f})".lstrip()
        ax.plot(false, true, color=shade(i), label=label, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    open_frame(ax)
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    return ax
