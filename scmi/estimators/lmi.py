"""Latent mutual information of plain arrays: the estimator and the one-call function."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from typing import Any, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from scmi._logging import logger
from scmi._progress import progress_bar
from scmi._warnings import user_stacklevel

from ._all_pairs import all_pairs, rows_at_once
from ._feature_names import Names, check_feature_names, feature_names
from ._neighbours import Metric
from ._sources import Matrix
from ._validation import (
    as_array,
    as_generator,
    as_labels,
    as_matrix,
    as_points,
    check_counts,
    check_same_length,
    count_copies,
    with_unpaired,
)
from .attribution import held_out_information
from .folds import FoldModel
from .heldout import as_codes
from .ksg import check_k, log_density_ratio, ratio_neighbours
from .pairing import rowwise
from .plan import Null, Plan
from .result import LMIResult
from .retraining import estimate_and_retrain
from .settings import Objective, Settings, resolve_settings

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
    n_permutations
        Permutations of the partners for the p-value, of at most 700 pairs per fold; 0 for no test.
    null
        What the p-value compares with. ``"fixed"``: other partners for the held-out pairs, the models as they are; exact,
        and a part of the time of the estimate. ``"retrain"``: the whole estimate, training included, on permuted
        partners (within ``strata``; one sample of each group); exact too, at the time of ``n_permutations`` estimates,
        of which 99 will do. Ask for it to see what the procedure makes of data without dependence.
    n_retrain
        Further estimates of the same pairs, with other splits and seeds; their standard deviation becomes
        ``se_parts["retraining"]`` and a part of ``se``. Each takes the time of the first one. Five tell it to a third,
        ten to a quarter. 0, the default, leaves it out.
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
    models_ : list
        One trained model per fold.
    information_x_, information_y_ : FeatureInformation
        How well each feature of x is predicted from y, and of y from x, in held-out samples: ``r2``, ``null`` and ``p``,
        of :class:`~scmi.estimators.attribution.FeatureInformation`.
    n_features_in_ : int
        Columns of x.
    n_features_y_ : int
        Columns of y.
    feature_names_in_, feature_names_y_ : numpy.ndarray of str
        Column names of x and of y; only where they were data frames whose columns are all named by text.

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
        n_permutations: int = 999,
        null: Null = "fixed",
        n_retrain: int = 0,
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
        self.n_permutations = n_permutations
        self.null = null
        self.n_retrain = n_retrain
        self.rng = rng
        self.device = device
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        strata: ArrayLike | None = None,
        x_unpaired: ArrayLike | None = None,
        y_unpaired: ArrayLike | None = None,
    ) -> Self:
        """Train the latent model and estimate the mutual information of the samples.

        Parameters
        ----------
        x, y
            Samples x features: a NumPy array, a SciPy sparse matrix, a pandas or polars frame, a torch tensor, a Dask
            array or an HDF5 dataset, of any real type; row i of both is one joint sample.
        groups
            Label of each sample; samples with the same label never part across a split.
        strata
            Label of each sample (batch, well, library). The test permutes partners within each stratum only, so that
            what a stratum tells about both sides does not count as significant.
        x_unpaired, y_unpaired
            Further rows of x, or of y, without a partner. They sharpen the principal components, which never see who is
            paired with whom, so the null stays exact. They get no pMI.

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
        stratum = None if strata is None else as_codes(strata, n, "`strata`")
        copies = count_copies(matrix_x, matrix_y)
        if copies:
            warnings.warn(
                f"{copies} of {n} joint samples are exact copies of another one. Copies are at distance 0, which breaks "
                "the nearest-neighbour estimate: drop them.",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        matrix_x, matrix_y = with_unpaired(matrix_x, x_unpaired, "x"), with_unpaired(matrix_y, y_unpaired, "y")
        plan = Plan(
            settings=resolve_settings(self.preset),
            n_latent=self.n_latent,
            k=self.k,
            objective=self.objective,
            lam=self.lam,
            alpha=self.alpha,
            n_permutations=self.n_permutations,
            null=self.null,
            n_retrain=self.n_retrain,
            device=self.device,
            n_jobs=self.n_jobs,
        )
        pairing = rowwise(n, labels)
        with progress_bar(plan.n_trainings, self.progress, "LMI") as tick:
            self.result_, self.models_ = estimate_and_retrain(
                matrix_x, matrix_y, pairing, plan, strata=stratum, rng=as_generator(self.rng), progress=tick
            )
        self.result_ = replace(self.result_, z_x=self.result_.z_x[:n], z_y=self.result_.z_y[:n])
        self.information_x_, self.information_y_ = held_out_information(
            matrix_x, matrix_y, pairing.groups, self.result_, self.models_
        )
        self.n_features_in_ = matrix_x.shape[1]
        self.n_features_y_ = matrix_y.shape[1]
        for attribute, values in (("feature_names_in_", x), ("feature_names_y_", y)):
            names = feature_names(values)
            if names is not None:
                setattr(self, attribute, names)
            elif hasattr(self, attribute):  # of an earlier fit
                delattr(self, attribute)
        return self

    @overload
    def transform(self, x: ArrayLike) -> NDArray[np.float32]: ...
    @overload
    def transform(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
    def transform(
        self, x: ArrayLike, y: ArrayLike | None = None
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Latent representations of rows of x and of y, by the first fold's encoders.

        Parameters
        ----------
        x, y
            Rows to encode; they need not be pairs, and y can be left out.

        Returns
        -------
        Rows of x x latent dimensions, and with y also rows of y x latent dimensions.
        """
        model = self._models()[0]
        z_x = model.encode_x(self._as_x(x))
        return z_x if y is None else (z_x, model.encode_y(self._as_y(y)))

    def pmi(self, x: ArrayLike, y: ArrayLike, *, k: int | None = None) -> NDArray[np.float64]:
        """Log density ratio of new pairs, log2 p(x, y) / (p(x) p(y)), in bits.

        The mean over the folds; each refers to the pairs that it had held out of its training. The mean over many pairs
        of the same population estimates their mutual information, as ``result_`` does.

        Parameters
        ----------
        x, y
            New pairs: row i of x with row i of y.
        k
            Which neighbour among the reference pairs sets the distance. One value is noisier than a mean, so the default is
            more than the estimator's ``k`` where there are few latent dimensions and many reference pairs; see
            :func:`~scmi.estimators.ksg.ratio_neighbours`.

        Returns
        -------
        One value per pair, in bits.

        References
        ----------
        Algorithm 2 of :cite:t:`Gowri2024`; see :func:`~scmi.estimators.ksg.log_density_ratio`.
        """
        models = self._models()
        matrix_x, matrix_y = self._as_x(x), self._as_y(y)
        check_same_length(matrix_x, matrix_y)
        metric = resolve_settings(self.preset).metric
        ratios = [
            log_density_ratio(
                m.encode_x(matrix_x),
                m.encode_y(matrix_y),
                m.reference_x,
                m.reference_y,
                k=self._neighbours(m, k),
                metric=metric,
            )
            for m in models
        ]
        return np.asarray(np.mean(ratios, axis=0))

    @overload
    def score_pairs(self, x: ArrayLike, y: ArrayLike, *, k: int | None = None) -> NDArray[np.float64]: ...
    @overload
    def score_pairs(
        self, x: ArrayLike, y: ArrayLike, *, k: int | None = None, out: NDArray[np.floating]
    ) -> NDArray[np.floating]: ...
    @overload
    def score_pairs(self, x: ArrayLike, y: ArrayLike, *, k: int | None = None, top_k: int) -> pd.DataFrame: ...
    def score_pairs(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        k: int | None = None,
        out: NDArray[np.floating] | None = None,
        top_k: int | None = None,
    ) -> NDArray[np.floating] | pd.DataFrame:
        """Log density ratio of every row of x with every row of y, in bits.

        What :meth:`pmi` gives for each of these pairs, at a fraction of its time. Rows of x are worked on in blocks, so
        that neither a matrix written to a file (``out``) nor a table of the best partners (``top_k``) has to fit in
        memory with all pairs.

        Parameters
        ----------
        x, y
            Rows to be paired, each with each; they may be of different number.
        k
            As in :meth:`pmi`.
        out
            Array of rows of x x rows of y to write to, such as a :class:`numpy.memmap`.
        top_k
            Return only so many partners of each row of x.

        Returns
        -------
        Rows of x x rows of y in bits (``out`` itself, if given). With ``top_k`` instead a table with the best partners
        of each row of x, best first: columns ``x`` and ``y`` (row numbers) and ``pmi`` (bits). Of equal partners, the
        earlier row comes first.

        Raises
        ------
        ValueError
            If ``out`` has another shape, or ``out`` and ``top_k`` are both given.

        References
        ----------
        Algorithm 2 of :cite:t:`Gowri2024`, as :meth:`pmi`.

        Examples
        --------
        >>> import numpy as np
        >>> import scmi as sm
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(300, 5))
        >>> model = sm.LMI(rng=0).fit(x, x + rng.normal(size=(300, 5)))
        >>> model.score_pairs(x[:3], x[:4]).shape
        (3, 4)
        >>> model.score_pairs(x[:3], x[:4], top_k=2).shape
        (6, 3)
        """
        models = self._models()
        matrix_x, matrix_y = self._as_x(x), self._as_y(y)
        n_x, n_y = matrix_x.shape[0], matrix_y.shape[0]
        if out is not None and top_k is not None:
            raise ValueError("`out` takes the whole matrix and `top_k` asks for a part of it: pass one of them.")
        if out is not None and out.shape != (n_x, n_y):
            raise ValueError(f"`out` has shape {out.shape}; expected rows of x x rows of y, {(n_x, n_y)}.")
        if top_k is not None:
            check_counts(top_k=top_k)
        elif out is None:
            out = np.empty((n_x, n_y))
        neighbours = [self._neighbours(model, k) for model in models]
        tables = []
        for rows, scores in _mean_scores(models, matrix_x, matrix_y, neighbours, resolve_settings(self.preset).metric):
            if top_k is not None:
                tables.append(_best(scores, rows.start, top_k))
            elif out is not None:
                out[rows] = scores
        return pd.concat(tables, ignore_index=True) if out is None else out

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted estimator to one file: NumPy's ``.npz`` with JSON inside, no pickle.

        Parameters
        ----------
        path
            File to write, replaced if it exists. A generator given as ``rng`` is not kept (None takes its place).
        """
        from .saving import save

        save(self, self._models(), path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what :meth:`save` wrote. No code in the file is run, so files of strangers are safe.

        Parameters
        ----------
        path
            File to read.

        Returns
        -------
        The fitted estimator.

        Raises
        ------
        ValueError
            If the file was not written by :meth:`save`, or by a later version of this package.
        """
        from .saving import load

        return load(cls, path)

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

    def _neighbours(self, model: FoldModel, k: int | None) -> int:
        """Those that judge new pairs."""
        n = len(model.reference_x)
        if k is None:
            return ratio_neighbours(self.k, n, model.reference_x.shape[1] + model.reference_y.shape[1])
        check_counts(k=k)
        check_k(k, n)
        return k

    def _as_x(self, x: ArrayLike) -> Matrix:
        return _checked(x, self.n_features_in_, getattr(self, "feature_names_in_", None), "x")

    def _as_y(self, y: ArrayLike) -> Matrix:
        return _checked(y, self.n_features_y_, getattr(self, "feature_names_y_", None), "y")


def lmi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    x_unpaired: ArrayLike | None = None,
    y_unpaired: ArrayLike | None = None,
    n_latent: int | None = None,
    k: int = 3,
    objective: Objective = "cross+infonce",
    lam: float = 1.0,
    alpha: float = 1.0,
    preset: str | Settings = "default",
    n_permutations: int = 999,
    null: Null = "fixed",
    n_retrain: int = 0,
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
        Samples x features, dense or sparse; row i of both is one joint sample. Every column is scaled to unit variance, so pass
        features rather than their principal components, whose size would be lost. A vector of labels (strings or categories:
        fate, cell type, perturbation) stands for its one-hot columns. Dask arrays (of dense or CSR chunks),
        HDF5 datasets and anndata's backed CSR are read once and kept if they take no more than 2 GiB, and otherwise
        read some rows at a time whenever they are needed.
    groups
        Label of each sample; samples with the same label never part across a split. ``mi`` is that of all samples: where
        those of a group lie together on both sides (clone mates that share their fate), it holds what is peculiar to
        the group, and only ``p``, from one sample of each, does not.
    strata
        Label of each sample (batch, well, library). The test permutes partners within each stratum only, so that what a
        stratum tells about both sides does not count as significant.
    x_unpaired, y_unpaired
        Further rows of x, or of y, without a partner: where pairs are few and samples many, they teach what either side
        looks like. The null stays exact.
    n_latent, k, objective, lam, alpha, preset, n_permutations, null, n_retrain, rng, device, n_jobs, progress
        See :class:`LMI`.

    Returns
    -------
    The estimate: ``mi`` in bits with its error ``se``, interval ``ci`` and p-value ``p``, ``pmi`` per sample, the latent
    representations and the training history.

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
        n_permutations=n_permutations,
        null=null,
        n_retrain=n_retrain,
        rng=rng,
        device=device,
        n_jobs=n_jobs,
        progress=progress,
    )
    return model.fit(
        _one_hot(x, "x"), _one_hot(y, "y"), groups, strata=strata, x_unpaired=x_unpaired, y_unpaired=y_unpaired
    ).result_


def _one_hot(values: ArrayLike, name: str) -> ArrayLike:
    """A column for every label of a vector of labels; anything else as it is."""
    labels: Any = values if hasattr(values, "dtype") else as_array(values, name)
    if getattr(labels, "ndim", 0) != 1 or getattr(labels.dtype, "kind", "O") not in "OUST":
        return values
    if pd.isna(labels).any():
        raise ValueError(f"{name} has {int(pd.isna(labels).sum())} missing labels; drop those rows first.")
    columns = pd.get_dummies(pd.Series(np.asarray(labels)), dtype=float)
    logger.info("%s holds labels: %d one-hot columns", name, columns.shape[1])
    return columns.to_numpy()


def _checked(values: ArrayLike, n_features: int, names: Names | None, name: str) -> Matrix:
    check_feature_names(values, names, name)
    matrix = as_matrix(values, name)
    if matrix.shape[1] != n_features:
        raise ValueError(f"{name} has {matrix.shape[1]} features, but LMI is expecting {n_features} features as input.")
    return matrix


def _mean_scores(
    models: list[FoldModel], x: Matrix, y: Matrix, neighbours: list[int], metric: Metric
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The scores of some rows of x with all rows of y, the mean over the folds, block by block."""
    latents = [(as_points(m.encode_x(x), "x"), as_points(m.encode_y(y), "y")) for m in models]
    references = [(as_points(m.reference_x, "x"), as_points(m.reference_y, "y")) for m in models]
    size = rows_at_once(max(y.shape[0], *(len(reference) for reference, _ in references)))
    for start in range(0, x.shape[0], size):
        rows = slice(start, start + size)
        scores = [
            all_pairs(z_x[rows], z_y, *reference, k, metric)
            for (z_x, z_y), reference, k in zip(latents, references, neighbours, strict=True)
        ]
        yield rows, np.asarray(np.mean(scores, axis=0))


def _best(scores: NDArray[np.float64], first_row: int, top_k: int) -> pd.DataFrame:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return pd.DataFrame(
        {
            "x": np.repeat(np.arange(first_row, first_row + len(scores)), best.shape[1]),
            "y": best.ravel(),
            "pmi": np.take_along_axis(scores, best, axis=1).ravel(),
        }
    )
