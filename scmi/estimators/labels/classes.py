"""The family of labels: calibrated probabilities of classes given features, on cells that the model never saw."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from scmi.estimators.inputs.pairing import partition
from scmi.typing import Index, Values

__all__ = ["ClassModel", "Features", "fit_classes"]

# Variances of the weights that are tried (the inverse of a ridge), least first: of a logistic model of the features,
# and of one of the kernel between them and landmarks.
LINEAR = (1e-3, 1e-2, 1e-1, 1.0)
KERNEL = (1.0, 30.0)
# Widths of the kernel, in median distances between landmarks.
WIDTHS = (0.5, 1.0)
# Landmarks, and cells for each of them at least.
MAX_LANDMARKS, CELLS_PER_LANDMARK = 300, 5
# Thresholds for the means of the classes, in standard errors, and the variance of weights of what these tell.
LEVELS = (1.0, 2.0, 3.0, 4.0)
OF_MEANS = 1.0
# Parts of a training half that are predicted in turn to choose and to calibrate; of more cells one part is enough.
N_PARTS = 4
MANY_CELLS = 1500
# Cells that a choice is made on: it needs no more.
MAX_CHOSEN_ON = 6000
# Calibration: by how much log odds may be enlarged, and the shares of cells whose label may be any, whatever their
# features (mistaken labels). Of n cells that a model was judged by, at least half a cell's worth: none can be surer.
HIGHEST_TRUST = 5.0
MISTAKEN = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
# A test hears log odds at no less than this trust: where none is deserved, all permutations would tie otherwise.
LEAST_TESTED = 0.3
MAX_STEPS = 100
SMALLEST = 1e-12

Floats = NDArray[np.float32]
Map = Callable[["Features"], Floats]


class Features(NamedTuple):
    """What is known of some cells.

    Parameters
    ----------
    components
        Cells x leading principal components.
    columns
        Cells x standardised columns; of no columns where they don't fit in memory.
    """

    components: Floats
    columns: Floats

    def __len__(self) -> int:
        return len(self.components)

    def take(self, cells: Index | NDArray[np.bool_]) -> "Features":
        """Those of some of the cells."""
        return Features(self.components[cells], self.columns[cells])


class Calibration(NamedTuple):
    """How far log odds can be trusted.

    Parameters
    ----------
    trust
        By how much those against the reference count: 0 for a model that was of no use.
    mistaken
        The share of cells whose label is drawn from the reference, whatever their features.
    """

    trust: float
    mistaken: float

    def log_probabilities(self, shift: Values, reference: Values) -> Values:
        """Natural logarithms, cells x classes, from log odds against the reference."""
        logits = reference + self.trust * shift
        log_p: Values = logits - logsumexp(logits, axis=1, keepdims=True)
        if self.mistaken > 0:
            log_p = np.logaddexp(np.log1p(-self.mistaken) + log_p, np.log(self.mistaken) + reference)
        return log_p


class ClassModel(NamedTuple):
    """Log probabilities of the classes for each cell, given what is known of them without its features.

    Parameters
    ----------
    of
        What the logistic model sees of a cell.
    weights, bias
        Features x classes, and of each class; classes that training lacks have none.
    seen
        Which classes these are of.
    calibration
        How far it can be trusted.
    kind
        ``"linear"``, ``"sparse"`` or ``"kernel"``.
    """

    of: Map
    weights: Values
    bias: Values
    seen: Index
    calibration: Calibration
    kind: str

    def log_probabilities(self, x: Features, reference: Values) -> tuple[Values, Values]:
        """Natural logarithms, cells x classes; ``reference`` holds those of the classes without the features.

        And the same for a test, which a model that calibration has silenced would otherwise not take part in.
        """
        scores = self.of(x) @ self.weights + self.bias
        shift = _against(scores, self.seen, reference)
        heard = self.calibration._replace(trust=max(self.calibration.trust, LEAST_TESTED))
        return self.calibration.log_probabilities(shift, reference), heard.log_probabilities(shift, reference)


class Candidate(NamedTuple):
    """A logistic model: how what it sees is learned from training cells, and the variance of its weights."""

    kind: str
    learn: Callable[[Features, Values], Map]
    variance: float


def fit_classes(x: Features, targets: Values, reference: Values, groups: Index, rng: np.random.Generator) -> ClassModel:
    """The logistic model that predicts cells of groups it has not seen best, and how far it can be trusted.

    Candidates are linear in the principal components; in the scores of the classes' means, with what chance explains of
    each column taken off (nearest shrunken centroids); and in a radial kernel between components and landmarks
    (Nyström); each with several ridges or thresholds. They are judged by the cross-entropy of parts of the training
    cells, left out in turn by whole groups, after their log odds were calibrated as is best there. Each kind has to be
    better than the one before by more than a standard error.

    Parameters
    ----------
    x
        The training cells.
    targets
        Cells x classes; the shares of each cell, which add up to 1: one class, or the fates of its descendants.
    reference
        Natural logarithms of the classes' probabilities for each cell without its features.
    groups
        A label for each cell; those that share one are left out together.
    rng
        Chooses parts and landmarks.

    References
    ----------
    Tibshirani et al. (2002), PNAS 99, 6567, for shrunken centroids.
    """
    # One thread: many small products, between which the threads of a BLAS would wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        some = rng.permutation(len(x))[:MAX_CHOSEN_ON]
        # Cells that are all of one group can only be left out one by one.
        known = groups[some] if len(np.unique(groups[some])) > 1 else np.arange(len(some))
        part = partition(known, N_PARTS, rng)
        present = np.unique(part)  # a group may be larger than a part, and leave another empty
        judged = present[:1] if len(some) > MANY_CELLS else present
        of_judged = known[np.isin(part, judged)]
        chosen_on = x.take(some)
        best, *rivals = (
            _best(candidates, chosen_on, targets[some], reference[some], part, judged)
            for candidates in _candidates(chosen_on, rng)
        )
        for rival in rivals:
            if _beats(rival[2], best[2], of_judged):
                best = rival
        candidate, calibration, _ = best
        of = candidate.learn(x, targets)
        return ClassModel(of, *_logistic(of(x), targets, candidate.variance), calibration, candidate.kind)


def _candidates(x: Features, rng: np.random.Generator) -> list[list[Candidate]]:
    """Kind by kind, the simplest first."""
    kernels = [_kernel(x.components, width, rng) for width in WIDTHS]
    kinds = [
        [Candidate("linear", _fixed(_components), variance) for variance in LINEAR],
        [Candidate("kernel", _fixed(kernel), variance) for kernel in kernels for variance in KERNEL],
    ]
    if x.columns.shape[1]:
        kinds.insert(1, [Candidate("sparse", partial(_means, level=level), OF_MEANS) for level in LEVELS])
    return kinds


def _fixed(of: Map) -> Callable[[Features, Values], Map]:
    """What needs no labels to be learned."""
    return lambda x, targets: of


class _Judged(NamedTuple):
    """What a candidate says of cells that it was not fitted to: log odds, true shares, reference."""

    shift: Values
    truth: Values
    reference: Values

    def losses(self, calibration: Calibration) -> Values:
        """Cross-entropy of each."""
        losses: Values = -(self.truth * calibration.log_probabilities(self.shift, self.reference)).sum(axis=1)
        return losses

    def calibrated(self, mistaken: float) -> tuple[Calibration, float]:
        """The best trust for such a share of mistaken labels, and the mean loss then."""
        found = minimize_scalar(
            lambda trust: self.losses(Calibration(trust, mistaken)).mean(),
            bounds=(0, HIGHEST_TRUST),
            method="bounded",
            options={"xatol": 1e-2},
        )
        of_none = float(self.losses(Calibration(0.0, 0.0)).mean())
        if found.fun >= of_none:
            return Calibration(0.0, 0.0), of_none
        return Calibration(float(found.x), mistaken), float(found.fun)


def _best(
    candidates: Sequence[Candidate],
    x: Features,
    targets: Values,
    reference: Values,
    part: Index,
    judged: Index,
) -> tuple[Candidate, Calibration, Values]:
    """The best of a kind, its calibration, and the loss of each judged cell after it."""
    every = [_judged(one, x, targets, reference, part, judged) for one in candidates]
    losses = [one.calibrated(0.0)[1] for one in every]
    best = int(np.argmin(losses))
    least = 0.5 / len(every[best].truth)
    calibration, _ = min(
        (every[best].calibrated(max(mistaken, least)) for mistaken in MISTAKEN), key=lambda found: found[1]
    )
    return candidates[best], calibration, every[best].losses(calibration)


def _judged(
    candidate: Candidate, x: Features, targets: Values, reference: Values, part: Index, judged: Index
) -> _Judged:
    """In the order of the cells, so that rivals can be compared cell by cell."""
    shifts, kept = [], []
    for i in judged:
        out = part == i
        training = x.take(~out)
        of = candidate.learn(training, targets[~out])
        weights, bias, seen = _logistic(of(training), targets[~out], candidate.variance)
        shifts.append(_against(of(x.take(out)) @ weights + bias, seen, reference[out]))
        kept.append(np.flatnonzero(out))
    rows = np.concatenate(kept)
    order = np.argsort(rows)
    return _Judged(np.concatenate(shifts)[order], targets[rows[order]], reference[rows[order]])


def _beats(one: Values, other: Values, groups: Index) -> bool:
    """Whether its losses are smaller by more than a standard error over groups."""
    gain = other - one
    by_group = np.bincount(np.unique(groups, return_inverse=True)[1], gain - gain.mean())
    return bool(gain.mean() > np.sqrt((by_group**2).sum()) / len(gain))


def _logistic(u: Floats, targets: Values, variance: float) -> tuple[Values, Values, Index]:
    """Weights, biases, and the classes that they are of; a cell of several classes is one of each, in part."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    cell, label = np.nonzero(targets > 0)
    seen = np.unique(label)
    if len(seen) == 1:
        return np.zeros((u.shape[1], 1)), np.zeros(1), seen
    model = LogisticRegression(C=variance, tol=1e-3, max_iter=MAX_STEPS)
    with warnings.catch_warnings():
        # What few steps leave is what calibration sees.
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = len(cell) == len(u)
        model.fit(u if whole else u[cell], label, sample_weight=None if whole else targets[cell, label])
    if len(seen) == 2:  # one score tells them apart
        return np.hstack([0 * model.coef_.T, model.coef_.T]), np.array([0.0, float(model.intercept_[0])]), seen
    return model.coef_.T, model.intercept_, seen


def _against(scores: Values, seen: Index, reference: Values) -> Values:
    """Log odds of the classes against the reference; of a class that training lacks nothing is known beyond it."""
    shift = np.zeros_like(reference)
    # Those that were seen share what the reference leaves for them.
    left = logsumexp(reference[:, seen], axis=1, keepdims=True)
    shift[:, seen] = scores - logsumexp(scores, axis=1, keepdims=True) + left - reference[:, seen]
    return shift


def _components(x: Features) -> Floats:
    return x.components


def _means(x: Features, targets: Values, level: float) -> Map:
    """Scores of the classes: products with their means, each entry moved towards 0 by some of its standard errors."""
    columns = x.columns
    n = targets.sum(axis=0)
    present = n > 0
    share = (targets[:, present] / n[present]).astype(np.float32)
    apart = share.T @ columns - columns.mean(axis=0)
    error = np.sqrt(np.maximum(1 / n[present] - 1 / len(columns), 0))[:, None] * columns.std(axis=0)
    thin = np.sign(apart) * np.maximum(np.abs(apart) - level * error, 0)
    spread = float((columns @ thin.T).std())
    axes = (thin.T / max(spread, SMALLEST)).astype(np.float32)
    return lambda cells: cells.columns @ axes


def _kernel(components: Floats, width: float, rng: np.random.Generator) -> Map:
    """The kernel with some of the cells."""
    from scipy.spatial.distance import pdist
    from sklearn.kernel_approximation import Nystroem

    n_landmarks = min(MAX_LANDMARKS, max(2, len(components) // CELLS_PER_LANDMARK))
    landmarks = components[rng.permutation(len(components))[:n_landmarks]]
    apart = pdist(landmarks)
    typical = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    gamma = 0.5 / max(width * typical, SMALLEST) ** 2
    nystroem = Nystroem(kernel="rbf", gamma=gamma, n_components=len(landmarks), random_state=int(rng.integers(2**31)))
    nystroem.fit(landmarks)
    return lambda cells: nystroem.transform(cells.components).astype(np.float32)
