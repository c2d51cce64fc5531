"""Which features carry the information: how well the cross-decoders predict each from the other side, held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln
from scipy.stats import pearson3

from scmi.estimators._fold import Fold
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.typing import Index, Matrix, Values

if TYPE_CHECKING:
    from torch import nn

    from scmi.estimators.inputs.rows import Scale

__all__ = ["FeatureInformation", "FeatureMoments", "feature_moments", "held_out_information", "summarise"]

CHUNK = 4096
# The null value that is reported: what this share of the permutations does not reach.
NULL_QUANTILE = 0.95


@dataclass(frozen=True, kw_only=True)
class FeatureInformation:
    """How well each feature of one side is predicted from the other side, in pairs that training never saw.

    Parameters
    ----------
    r2
        Share of a feature's variance that the cross-decoder explains: 1 - sum of squared errors / sum of squares about
        the mean, of the standardised and clipped values that it was trained on. At most 1, negative where the
        prediction is worse than the mean; NaN for features that don't vary, which a small error says nothing about
        (appendix A.2.3 of :cite:t:`Gowri2024`).
    null
        The R2 that 5 % of the permutations of the partners reach.
    p
        The share of these permutations that reach ``r2``; NaN where that is.
    """

    r2: Values
    null: Values
    p: Values


@dataclass(frozen=True)
class FeatureMoments:
    """What one fold's pairs say of each feature: sums over deviations from the fold's means.

    Parameters
    ----------
    n
        Pairs.
    product
        Sum of prediction times value.
    square_predicted, square_true
        Sums of squares.
    error
        Sum of squared errors of the prediction as it is, its mean included.
    cube
        Sum of cubes of the prediction, times that of the values.
    n_above
        How many values exceed the feature's least: few in genes that few cells express.
    """

    n: int
    product: Values
    square_predicted: Values
    square_true: Values
    error: Values
    cube: Values
    n_above: Values


def held_out_information(x: Matrix, y: Matrix, folds: Sequence[Fold]) -> tuple[FeatureInformation, FeatureInformation]:
    """The features of x, as predicted from y, and those of y, as predicted from x.

    Looks at one pair of each group of the first pairing, so that pairs are independent; each fold's pairs are predicted
    by the model that never saw them.

    Parameters
    ----------
    x, y
        The matrices that were estimated.
    folds
        Those of the estimate.
    """
    of_x, of_y = [], []
    for fold in folds:
        _, one_per_group = np.unique(fold.held_out.groups, return_index=True)
        row_x, row_y = fold.pairs.row_x[one_per_group], fold.pairs.row_y[one_per_group]
        z_x, z_y = fold.held_out.x[one_per_group], fold.held_out.y[one_per_group]
        of_x.append(feature_moments(x, row_x, fold.scale_x, fold.model.decoder_yx, z_y))
        of_y.append(feature_moments(y, row_y, fold.scale_y, fold.model.decoder_xy, z_x))
    return summarise(of_x), summarise(of_y)


def summarise(folds: Sequence[FeatureMoments]) -> FeatureInformation:
    r"""R2 over all folds, and where it stands among the permutations of the partners within folds.

    A permutation changes R2 only by :math:`T = \sum_i \hat y_i y_{\pi(i)}` of deviations from the fold's means. The
    mean, variance and skewness of T over *all* permutations are known,

    .. math:: 0, \quad \frac{1}{n - 1} \sum \hat y^2 \sum y^2, \quad
        \frac{n}{(n - 1)(n - 2)} \sum \hat y^3 \sum y^3 \;\text{(third moment)},

    and p is the tail of the Pearson type III distribution that has them. Drawn permutations could not give a p below
    1 / (their number + 1), which after correction for thousands of genes is not small. Where so few cells express a
    gene that there are few distinct arrangements, p is at least 1 / their number.
    """
    product, square_true, error = (
        sum((getattr(fold, name) for fold in folds), np.zeros(())) for name in ("product", "square_true", "error")
    )
    variance, third, log_arrangements = np.zeros((3, len(product)))
    for fold in folds:
        variance += fold.square_predicted * fold.square_true / max(fold.n - 1, 1)
        third += fold.n / max((fold.n - 1) * (fold.n - 2), 1) * fold.cube
        log_arrangements += gammaln(fold.n + 1) - gammaln(fold.n - fold.n_above + 1)
    nan = np.full(len(product), np.nan)
    varies = square_true > 0
    r2 = 1 - np.divide(error, square_true, out=nan.copy(), where=varies)
    sd = np.sqrt(variance)
    # A prediction that does not vary is the same under every permutation.
    moves = varies & (sd > 0)
    z, skew = (np.divide(a, b, out=np.zeros_like(sd), where=moves) for a, b in ((product, sd), (third, sd**3)))
    p = np.where(moves, np.maximum(pearson3.sf(z, skew), np.exp(-log_arrangements)), 1.0)
    threshold = pearson3.isf(1 - NULL_QUANTILE, skew) * sd
    null = r2 + 2 * np.divide(threshold - product, square_true, out=nan.copy(), where=varies)
    return FeatureInformation(r2=r2, null=null, p=np.where(varies, np.minimum(p, 1.0), np.nan))


def feature_moments(
    matrix: Matrix, rows: Index, scale: "Scale", decoder: "nn.Module", latent: Values
) -> FeatureMoments:
    """Compare the rows with what the decoder makes of their partners' latents, some rows at a time."""
    prepare_torch()
    import torch

    from scmi.estimators.inputs.rows import Rows

    device = next(decoder.parameters()).device
    order = np.argsort(rows, kind="stable")  # sorted rows of a file are read fastest
    source = Rows(matrix, scale, device)
    sums = np.zeros((8, matrix.shape[1]))
    least, n_least = np.full(matrix.shape[1], np.inf), np.zeros(matrix.shape[1])
    for start, batch in zip(range(0, len(rows), CHUNK), source.batches(rows[order], CHUNK), strict=True):
        z = torch.from_numpy(latent[order[start : start + CHUNK]].astype(np.float32)).to(device)
        with torch.no_grad():
            a = decoder(z).cpu().numpy().astype(np.float64)
        b = batch.cpu().numpy().astype(np.float64)
        aa, bb, difference = a * a, b * b, a - b
        # Sums of products without the products, which would take most of the time.
        products = [(aa, a), (bb, b), (difference, difference)]
        sums += [
            *(v.sum(axis=0) for v in (a, b, aa, bb)),
            np.einsum("ij,ij->j", a, b),
            *(np.einsum("ij,ij->j", u, v) for u, v in products),
        ]
        low = b.min(axis=0)
        n_least = np.where(low < least, 0, n_least) + (b == np.minimum(low, least)).sum(axis=0)
        least = np.minimum(low, least)
    n = len(rows)
    n_above = n - n_least
    sum_a, sum_b, aa, bb, ab, aaa, bbb, error = sums
    mean_a, mean_b = sum_a / n, sum_b / n
    # The raw sums of a column without variation leave rounding errors.
    varies = n_above > 0
    return FeatureMoments(
        n=n,
        product=np.where(varies, ab - n * mean_a * mean_b, 0.0),
        square_predicted=_positive(aa - n * mean_a**2, aa),
        square_true=np.where(varies, _positive(bb - n * mean_b**2, bb), 0.0),
        error=np.where(varies, error, 0.0),
        cube=_cubes(aaa, aa, mean_a, n) * np.where(varies, _cubes(bbb, bb, mean_b, n), 0.0),
        n_above=n_above,
    )


def _cubes(cubes: Values, squares: Values, mean: Values, n: int) -> Values:
    """Sum of cubed deviations from the mean."""
    return cubes - 3 * mean * squares + 2 * n * mean**3


def _positive(deviations: Values, squares: Values) -> Values:
    """Sums of squared deviations, without what rounding leaves of them."""
    return np.where(deviations > 1e-12 * squares, deviations, 0.0)
