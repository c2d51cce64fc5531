"""Latent mutual information of plain arrays: the estimator and the one-call function."""

import warnings
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from scmi._progress import progress_bar
from scmi._warnings import user_stacklevel

from ._sources import Matrix
from ._validation import as_generator, as_labels, as_matrix, check_counts, check_same_length, count_copies
from .attribution import held_out_information
from .folds import FoldModel, estimate
from .ksg import log_density_ratio
from .pairing import rowwise
from .result import LMIResult
from .settings import Objective, Settings, check_objective, resolve_settings

__all__ = ["LMI", "lmi"]


class LMI(BaseEstimator):  # type: ignore[misc]
    """Latent mutual information (LMI): how many bits two high-dimensional variables share.

    Learns a low-dimensional latent space for each variable such that each predicts both variables, and applies the KSG
    nearest-neighbour estimator there, to samples that training never saw. With cross-fitting (the default) each half
    of the samples is estimated by the networks that were trained on the other half, so every sample gets its pointwise
    mutual information (pMI).

    Parameters
    ----------
    n_latent
        Latent dimensions of each variable; None lets the training half of the samples choose.
    k
        Which neighbour sets the distance in KSG.
    objective
        What shapes the networks' latent spaces: ``"cross"``, each reconstructs the other variable (the paper's default);
        ``"infonce"``, ``"mine"`` or ``"smile"``, a contrastive bound between them; ``"cross+infonce"``, both. Only
        the contrastive ones see dependence that leaves the mean of y given x where it is.
    lam
        Weight of the objective.
    alpha
        Weight of self-reconstruction.
    preset
        ``"default"``, or ``"paper"`` for the published architecture and training; or a
        :class:`~scmi.estimators.settings.Settings`.
    rng
        Seed or generator. The same seed on the same device gives the same numbers.
    device
        ``"auto"`` (cuda, then mps, then cpu) or a torch device name.
    n_jobs
        How many folds train at once; -1 for all. Threads of this process, unless a :func:`joblib.parallel_config` context
        says otherwise (a Dask cluster, say). The numbers don't depend on it.
    progress
        Show a progress bar; by default in terminals and notebooks only.

    Attributes
    ----------
    result_ : LMIResult
        The estimate.
    models_ : list of FoldModel
        One trained model per fold.
    information_x_, information_y_ : FeatureInformation
        How well each feature of x is predicted from y, and of y from x, in held-out samples: ``r2``, ``null`` and ``p``,
        of :class:`~scmi.estimators.attribution.FeatureInformation`.
    n_features_in_ : int
        Columns of x.
    n_features_y_ : int
        Columns of y.

    References
    ----------
    Algorithm 1 of :cite:t:`Gowri2024`, cross-fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 20))
    >>> y = x + rng.normal(size=(300, 20))
    >>> model = sm.LMI(rng=0).fit(x, y)
    >>> model.pmi(x[:5], y[:5]).shape
    (5,)
    """

    def __init__(
        self,
        *,
        n_latent: int | None = None,
        k: int = 3,
        objective: Objective = "cross+infonce",
        lam: float = 1.0,
        alpha: float = 1.0,
        preset: str | Settings = "default",
        rng: int | np.random.Generator | None = 0,
        device: str = "auto",
        n_jobs: int = -1,
        progress: bool | None = None,
    ) -> None:
        self.n_latent = n_latent
        self.k = k
        self.objective = objective
        self.lam = lam
        self.alpha = alpha
        self.preset = preset
        self.rng = rng
        self.device = device
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(self, x: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Train the latent model and estimate the mutual information of the samples.

        Parameters
        ----------
        x, y
            Samples x features: dense, sparse, a Dask array or an HDF5 dataset; row i of both is one joint sample.
        groups
            Label of each sample; samples with the same label never part across a split.

        Returns
        -------
        The fitted estimator; the estimate is in ``result_``.

        Raises
        ------
        ValueError
            If rows don't match, values are missing or infinite, or there are too few samples to split.
        """
        matrix_x, matrix_y = as_matrix(x, "x"), as_matrix(y, "y")
        n = check_same_length(matrix_x, matrix_y)
        labels = None if groups is None else as_labels(groups, n)
        copies = count_copies(matrix_x, matrix_y)
        if copies:
            warnings.warn(
                f"{copies} of {n} joint samples are exact copies of another one. Copies are at distance 0, which breaks "
                "the nearest-neighbour estimate: drop them.",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        check_counts(k=self.k, **({} if self.n_latent is None else {"n_latent": self.n_latent}))
        check_objective(self.objective)
        settings = resolve_settings(self.preset)
        pairing = rowwise(n, labels)
        with progress_bar(settings.n_folds, self.progress, "LMI") as tick:
            self.result_, self.models_ = estimate(
                matrix_x,
                matrix_y,
                pairing,
                n_pairings=1,
                n_latent=self.n_latent,
                k=self.k,
                objective=self.objective,
                lam=self.lam,
                alpha=self.alpha,
                settings=settings,
                rng=as_generator(self.rng),
                device=self.device,
                n_jobs=self.n_jobs,
                progress=tick,
            )
        self.information_x_, self.information_y_ = held_out_information(
            matrix_x, matrix_y, pairing.groups, self.result_, self.models_
        )
        self.n_features_in_ = matrix_x.shape[1]
        self.n_features_y_ = matrix_y.shape[1]
        return self

    def transform(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Latent representations of rows of x and of y, by the first fold's encoders.

        Parameters
        ----------
        x, y
            Rows to encode; they need not be pairs.

        Returns
        -------
        Rows of x x latent dimensions, and rows of y x latent dimensions.
        """
        model = self._models()[0]
        return model.encode_x(self._as_x(x)), model.encode_y(self._as_y(y))

    def pmi(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Log density ratio of new pairs, log2 p(x, y) / (p(x) p(y)), in bits.

        The mean over the folds; each refers to the pairs that it had held out of its training.

        Parameters
        ----------
        x, y
            New pairs: row i of x with row i of y.

        Returns
        -------
        One value per pair, in bits.
        """
        models = self._models()
        matrix_x, matrix_y = self._as_x(x), self._as_y(y)
        check_same_length(matrix_x, matrix_y)
        metric = resolve_settings(self.preset).metric
        ratios = [
            log_density_ratio(
                m.encode_x(matrix_x), m.encode_y(matrix_y), m.reference_x, m.reference_y, k=self.k, metric=metric
            )
            for m in models
        ]
        return np.asarray(np.mean(ratios, axis=0))

    def predict_y(self, x: ArrayLike) -> NDArray[np.float64]:
        """What the cross-decoders expect of y given x, in the units of y; the mean over the folds."""
        models = self._models()
        matrix = self._as_x(x)
        return np.asarray(np.mean([model.predict_y(matrix) for model in models], axis=0))

    def predict_x(self, y: ArrayLike) -> NDArray[np.float64]:
        """What the cross-decoders expect of x given y, in the units of x; the mean over the folds."""
        models = self._models()
        matrix = self._as_y(y)
        return np.asarray(np.mean([model.predict_x(matrix) for model in models], axis=0))

    def _models(self) -> list[FoldModel]:
        check_is_fitted(self, "models_")
        return self.models_

    def _as_x(self, x: ArrayLike) -> Matrix:
        return _with_features(as_matrix(x, "x"), self.n_features_in_, "x")

    def _as_y(self, y: ArrayLike) -> Matrix:
        return _with_features(as_matrix(y, "y"), self.n_features_y_, "y")


def lmi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_latent: int | None = None,
    k: int = 3,
    objective: Objective = "cross+infonce",
    lam: float = 1.0,
    alpha: float = 1.0,
    preset: str | Settings = "default",
    rng: int | np.random.Generator | None = 0,
    device: str = "auto",
    n_jobs: int = -1,
    progress: bool | None = None,
) -> LMIResult:
    """Mutual information between two high-dimensional variables in bits, in one call.

    Fits :class:`LMI` (see there for what the parameters mean) and returns its result.

    Parameters
    ----------
    x, y
        Samples x features, dense or sparse; row i of both is one joint sample. Dask arrays (of dense or CSR chunks),
        HDF5 datasets and anndata's backed CSR are read once and kept if they take no more than 2 GiB, and otherwise
        read some rows at a time whenever they are needed.
    groups
        Label of each sample; samples with the same label never part across a split.
    n_latent, k, objective, lam, alpha, preset, rng, device, n_jobs, progress
        See :class:`LMI`.

    Returns
    -------
    The estimate: ``mi`` in bits, ``pmi`` per sample, the latent representations and the training history.

    Raises
    ------
    ValueError
        If rows don't match, values are missing or infinite, or there are too few samples to split.

    References
    ----------
    Algorithm 1 of :cite:t:`Gowri2024`, cross-fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 500, 50))
    >>> y[:, 0] = x[:, 0] + 0.1 * rng.normal(size=500)
    >>> sm.lmi(x, y, rng=0).mi > 0.3
    True
    """
    model = LMI(
        n_latent=n_latent,
        k=k,
        objective=objective,
        lam=lam,
        alpha=alpha,
        preset=preset,
        rng=rng,
        device=device,
        n_jobs=n_jobs,
        progress=progress,
    )
    return model.fit(x, y, groups).result_


def _with_features(matrix: Matrix, n_features: int, name: str) -> Matrix:
    if matrix.shape[1] != n_features:
        raise ValueError(f"{name} has {matrix.shape[1]} features, but LMI is expecting {n_features} features as input.")
    return matrix
