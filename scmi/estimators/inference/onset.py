"""When does a noisy quantity begin to rise? Least squares for the breakpoint, its interval, and a test, clone by clone.

The mean is flat up to the onset and rises from there: along one line to the end (a hinge), along one line to a
plateau, or steeply first and less steeply later. A hinge alone won't do. Information saturates, and a single line
through a saturating rise starts far too early: on simulated lineages, whose true onset is .35, it put the onset at .12
to .27, and 95 % intervals missed the truth in 7 of 7 seeds. The second slope always makes the fit better, though, and
then the onset late, so it is taken only where it pays for itself as in Akaike's criterion. Resamples choose anew.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from scmi.typing import Index, Values

__all__ = ["Rise", "fit_rise", "onset_test", "resample_clones", "resampled_onsets", "round_outward"]

# A rise must start before the last cells and end after the first ones, or it is about those few.
TRIM = 0.05
N_KNOTS = 81
N_ZOOMS = 10
# Of the range. A steeper rise can't be told from a step.
SHORTEST_RISE = 0.01
# Resamples worked on at once: 50 x 3,240 pairs of knots fit a processor's cache.
CHUNK = 50


class Rise(NamedTuple):
    """Flat at `baseline` up to `onset`, then `slope` up to `bend`, then `slope_after`; NaN where nothing rises."""

    onset: float
    bend: float
    baseline: float
    slope: float
    slope_after: float


def resample_clones(n_clones: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """How often each clone is drawn, resamples x clones, if as many as there are are drawn with replacement."""
    counts = np.empty((n_resamples, n_clones), dtype=np.int32)
    for row in counts:
        row[:] = np.bincount(rng.integers(n_clones, size=n_clones), minlength=n_clones)
    return counts


def fit_rise(t: Values, y: Values, clone: Index) -> Rise:
    """The rise of least squares.

    Parameters
    ----------
    t
        Where each value was observed; at least three different ones.
    y
        The values.
    clone
        Codes 0, 1, ...; values of one clone may share their noise.
    """
    knots = _quantile_knots(t)
    line, bent = (_zoom(t, y, knots, bent=bent) for bent in (False, True))
    if line.gain == 0:
        return Rise(*[np.nan] * 5)
    if bent.gain - line.gain > _cost(t, y, clone, knots):
        return _regress(t, y, bent, bent=True)
    return _regress(t, y, line, bent=False)


def resampled_onsets(t: Values, y: Values, clone: Index, counts: NDArray[np.int32]) -> Values:
    """Onsets, at quantiles of `t`, of the rises fitted to resampled clones; at the end where none rises."""
    knots = _quantile_knots(t)
    sums, cost = _sums(t, y, clone, knots), _cost(t, y, clone, knots)
    onsets = np.empty(len(counts))
    for start in range(0, len(counts), CHUNK):
        chunk = slice(start, start + CHUNK)
        weights = counts[chunk].astype(np.float64)
        gains = _gains(sums, weights, weights)
        pays = gains.bent.max(axis=1) - gains.line.max(axis=1) > cost
        best = np.where(pays, gains.bent.argmax(axis=1), gains.line.argmax(axis=1))
        onsets[chunk] = np.where(gains.line.max(axis=1) > 0, knots[gains.i[best]], knots[-1])
    return onsets


def round_outward(t: Values, low: float, high: float) -> tuple[float, float]:
    """The quantiles next to two resampled onsets, which were searched at quantiles only and may lie up to there."""
    knots = _quantile_knots(t)
    below = max(int(np.searchsorted(knots, low, side="left")) - 1, 0)
    above = min(int(np.searchsorted(knots, high, side="right")), len(knots) - 1)
    return float(knots[below]), float(knots[above])


def onset_test(t: Values, y: Values, clone: Index, n_resamples: int, rng: np.random.Generator) -> float:
    """P-value of the best rise of one slope against no change (a one-sided sup-F test).

    Under no change, a clone's deviations from the common mean are noise, and noise of the other sign is as likely: all
    of a clone are multiplied by the same random +1 or -1 (wild cluster bootstrap), which keeps the noise that clone
    mates share and its size. p = (b + 1) / (m + 1), where b of m such data sets rise at least as clearly.
    """
    knots = _quantile_knots(t)
    sums = _sums(t, y, clone, knots)
    once = np.ones((1, sums.n_clones))
    observed = _explained(sums, once)[0]
    exceeded = 0
    for start in range(0, n_resamples, CHUNK):
        signs = rng.choice([-1.0, 1.0], size=(min(CHUNK, n_resamples - start), sums.n_clones))
        exceeded += int(np.sum(_explained(sums, signs) >= observed * (1 - 1e-9)))
    return (exceeded + 1) / (n_resamples + 1)


class _Sums(NamedTuple):
    """By clone and by gap between knots: counts and moments of `u`, `t` scaled to 0 to 1, and the same times `y`."""

    of_u: Any
    of_y: Any
    squares: float
    knots: Values
    n_clones: int


class _Gains(NamedTuple):
    """Squares explained by an onset at knot `i` and a bend at knot `j`, for each row of weights.

    `line` is of one slope from onset to bend, `bent` of two; `bent` is 0 where the second is not the lesser one.
    """

    i: Index
    j: Index
    line: Values
    bent: Values


class _Best(NamedTuple):
    onset: float
    bend: float
    gain: float


def _quantile_knots(t: Values) -> Values:
    return np.unique(np.quantile(t, np.linspace(0, 1, N_KNOTS)))


def _sums(t: Values, y: Values, clone: Index, knots: Values) -> _Sums:
    start, span = t.min(), np.ptp(t)
    u, y = (t - start) / span, y - y.mean()
    n_bins, n_clones = len(knots) + 1, int(clone.max()) + 1
    gap = np.searchsorted(knots, t, side="left")

    def by_clone(*moments: Values) -> Any:
        columns = np.concatenate([gap + n_bins * k for k in range(len(moments))])
        rows = np.tile(clone, len(moments))
        return sp.csr_array(
            sp.coo_array((np.concatenate(moments), (rows, columns)), shape=(n_clones, n_bins * len(moments)))
        )

    of_u, of_y = by_clone(np.ones_like(u), u, u * u), by_clone(y, u * y)
    return _Sums(of_u, of_y, float(y @ y), (knots - start) / span, n_clones)


def _after(sums: Any, weights: Values, n_knots: int) -> Values:
    """Moments x rows of weights x (knots + 1): first the weighted sum over all, then over what lies after each knot."""
    binned = np.asarray((sums.T @ weights.T).T).reshape(len(weights), -1, n_knots + 1)
    return np.moveaxis(binned[..., ::-1].cumsum(axis=-1)[..., ::-1], 1, 0)


def _gains(sums: _Sums, weights: Values, weights_y: Values) -> _Gains:
    """Squares explained by every rise with its onset and bend at knots.

    With h_i = max(0, u - knot_i), the rises are b (h_i - h_j) and b h_i + c h_j; all that regression on them needs are
    sums over what lies after a knot.
    """
    knots = sums.knots
    (total, n), (_, su), (_, suu) = (
        (moment[:, :1], moment[:, 1:]) for moment in _after(sums.of_u, weights, len(knots))
    )
    (total_y, sy), (_, suy) = ((moment[:, :1], moment[:, 1:]) for moment in _after(sums.of_y, weights_y, len(knots)))

    sum_h = su - knots * n
    variance = suu - 2 * knots * su + knots**2 * n - sum_h**2 / total
    with_y = suy - knots * sy - sum_h * total_y / total
    before = 1 - n.sum(axis=0) / total.sum()
    i, j = np.triu_indices(len(knots), 1)
    allowed = (before[i] <= 1 - TRIM) & (before[j] >= TRIM) & (knots[j] - knots[i] >= SHORTEST_RISE)
    i, j = i[allowed], j[allowed]

    v_i, v_j, y_i, y_j = variance[:, i], variance[:, j], with_y[:, i], with_y[:, j]
    v_ij = suu[:, j] - (knots[i] + knots[j]) * su[:, j] + knots[i] * knots[j] * n[:, j]
    v_ij = v_ij - sum_h[:, i] * sum_h[:, j] / total
    y_line, v_line = y_i - y_j, v_i + v_j - 2 * v_ij

    varies = v_line > 1e-9 * total
    line = np.where(varies & (y_line > 0), y_line**2 / np.where(varies, v_line, 1), 0)

    determinant = v_i * v_j - v_ij**2
    solvable = determinant > 1e-9 * v_i * v_j
    scale = np.where(solvable, determinant, 1)
    slope, change = (y_i * v_j - y_j * v_ij) / scale, (y_j * v_i - y_i * v_ij) / scale
    slows = solvable & (slope > 0) & (change <= 0) & (slope + change >= 0)
    return _Gains(i, j, line, np.where(slows, slope * y_i + change * y_j, 0))


def _explained(sums: _Sums, signs: Values) -> Values:
    """Share of the squares that the best rise of one slope explains, for each row of signs."""
    once = np.ones((1, sums.n_clones))
    n_bins = len(sums.knots) + 1
    n = (once @ sums.of_u)[:, :n_bins].sum()
    total = (sums.of_y.T @ signs.T).T[:, :n_bins].sum(axis=1)
    explained: Values = _gains(sums, once, signs).line.max(axis=1) / (sums.squares - total**2 / n)
    return explained


def _best(t: Values, y: Values, knots: Values, *, bent: bool) -> _Best:
    everyone = np.ones((1, 1))
    gains = _gains(_sums(t, y, np.zeros(len(t), dtype=np.int64), knots), everyone, everyone)
    gain = (gains.bent if bent else gains.line)[0]
    if len(gain) == 0:
        return _Best(np.nan, np.nan, 0.0)
    best = int(gain.argmax())
    return _Best(float(knots[gains.i[best]]), float(knots[gains.j[best]]), float(gain[best]))


def _zoom(t: Values, y: Values, knots: Values, *, bent: bool) -> _Best:
    """The best rise at knots, then between them, on ever finer knots about the best so far."""
    best = _best(t, y, knots, bent=bent)
    radius = np.diff(knots).max()
    for _ in range(N_ZOOMS):
        steps = np.linspace(-radius, radius, 21)
        finer = np.unique(np.clip(np.concatenate([best.onset + steps, best.bend + steps]), knots[0], knots[-1]))
        best = max(best, _best(t, y, finer, bent=bent), key=lambda rise: rise.gain)
        radius /= 5
    return best


def _regress(t: Values, y: Values, best: _Best, *, bent: bool) -> Rise:
    h_i, h_j = (np.maximum(0, t - knot) for knot in (best.onset, best.bend))
    regressors = [h_i, h_j] if bent else [h_i - h_j]
    (baseline, slope, *change), *_ = np.linalg.lstsq(np.column_stack([np.ones_like(t), *regressors]), y, rcond=None)
    after = slope + change[0] if bent else 0.0
    return Rise(best.onset, best.bend, float(baseline), float(slope), float(after))


def _cost(t: Values, y: Values, clone: Index, knots: Values) -> float:
    """What a second slope must explain: twice the variance of a value, with what clone mates share counted in."""
    best = _best(t, y, knots, bent=False)
    rise = _regress(t, y, best, bent=False)
    line = rise.baseline + rise.slope * (np.maximum(0, t - rise.onset) - np.maximum(0, t - rise.bend))
    return float(2 * np.sum(np.bincount(clone, y - line) ** 2) / len(t))
