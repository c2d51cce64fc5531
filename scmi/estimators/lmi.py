"""Latent mutual information of plain arrays: the one configuration of an estimate, and the one-call function."""

import inspect
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._progress import progress_bar
from scmi._warnings import warn
from scmi._words import did_you_mean
from scmi.estimators.inference.attribution import FeatureInformation, held_out_information
from scmi.estimators.inputs.checks import as_codes, check_same_length, seeded
from scmi.estimators.inputs.feature_names import check_aligned, feature_names
from scmi.estimators.inputs.labels import entropy_of_labels, one_hot, warn_of_codes
from scmi.estimators.inputs.matrices import as_matrix, count_copies, with_unpaired
from scmi.estimators.inputs.pairing import Pairing, rowwise
from scmi.typing import Index, Matrix, MatrixLike, Rng

from ._fitted import Fitted
from .configuration import Configuration
from .crossfit import cross_fit
from .result import LMIResult
from .settings import Settings

__all__ = ["LMI", "lmi"]


@explaining_arguments("preset=sm.estimators.Settings", Settings)
@with_shared_docs
class LMI(Configuration, Fitted, BaseEstimator):  # type: ignore[misc]
    """Latent mutual information (LMI): how many bits two high-dimensional variables share.

    Learns a low-dimensional latent space for each variable such that each predicts both variables, and applies the KSG
    nearest-neighbour estimator there, to samples that training never saw. With cross-fitting (the default) each half
    of the samples is estimated by the networks that were trained on the other half, so every sample gets its pointwise
    mutual information (pMI).

    Parameters
    ----------
    {configuration}

    Attributes
    ----------
    result_ : LMIResult
        The estimate.
    folds_ : list
        What each fold has learned, and the pairs that it never saw.
    information_x_, information_y_ : FeatureInformation
        How well each feature of x is predicted from y, and of y from x, in held-out samples: ``r2``, ``null`` and
        ``p``, of :class:`~scmi.estimators.FeatureInformation`.
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

    result_: LMIResult
    information_x_: FeatureInformation
    information_y_: FeatureInformation

    @with_shared_docs
    def fit(
        self,
        x: MatrixLike,
        y: MatrixLike,
        groups: ArrayLike | None = None,
        *,
        strata: ArrayLike | None = None,
        x_unpaired: MatrixLike | None = None,
        y_unpaired: MatrixLike | None = None,
    ) -> Self:
        """Train the latent model and estimate the mutual information of the samples.

        Parameters
        ----------
        x, y
            Samples x features: a NumPy array, a SciPy sparse matrix, a pandas or polars frame, a torch tensor, a Dask
            array or an HDF5 dataset, of any real type; row i of both is one joint sample.
        {groups_of_samples}
        {strata_of_samples}
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
        self.check()
        check_aligned(x=x, y=y, groups=groups, strata=strata)
        matrix_x, matrix_y = as_matrix(x, "x"), as_matrix(y, "y")
        n = check_same_length(matrix_x, matrix_y)
        labels = None if groups is None else as_codes(groups, n, "groups", sort=True)
        stratum = None if strata is None else as_codes(strata, n, "`strata`")
        copies = count_copies(matrix_x, matrix_y)
        if 0 < copies <= n // 2:  # of more, they are what discrete data are like
            warn(
                "copies",
                f"{copies} of {n} joint samples are exact copies of another one. Drop them if they stand for nothing, "
                "such as cells listed twice: each counts as a sample of its own.",
            )
        for name, matrix in (("x", matrix_x), ("y", matrix_y)):
            warn_of_codes(matrix, name)
        matrix_x, matrix_y = with_unpaired(matrix_x, x_unpaired, "x"), with_unpaired(matrix_y, y_unpaired, "y")
        self.fit_pairing(
            matrix_x, matrix_y, rowwise(n, labels), strata=stratum, n_pairings=1, rng=self.rng, progress=self.progress
        )
        self.result_ = replace(self.result_, z_x=self.result_.z_x[:n], z_y=self.result_.z_y[:n])
        for attribute, values in (("feature_names_in_", x), ("feature_names_y_", y)):
            names = feature_names(values)
            if names is not None:
                setattr(self, attribute, names)
        return self

    @with_shared_docs
    def fit_pairing(
        self,
        x: Matrix,
        y: Matrix,
        pairing: Pairing,
        *,
        strata: Index | None = None,
        common_scale: bool = False,
        n_pairings: int | None = None,
        rng: Rng = 0,
        progress: bool | None = None,
    ) -> Self:
        """Fit where a barcode may have several rows on either side: what :meth:`fit` and :func:`scmi.tl.lmi` share.

        Parameters
        ----------
        x, y
            Checked matrices.
        pairing
            Which of their rows carry each barcode.
        strata
            A label for each row of x, as integers.
        common_scale
            Whether columns keep their relative size, as those of a representation do; otherwise each has unit variance.
        n_pairings
            Instead of the estimator's own.
        {rng}
        {progress}

        Returns
        -------
        The fitted estimator.
        """
        self.check()
        generator, seed = seeded(rng)
        with progress_bar(self.n_trainings, progress, "LMI") as tick:
            result, self.folds_ = cross_fit(
                x,
                y,
                pairing,
                self,
                rng=generator,
                progress=tick,
                strata=strata,
                common_scale=common_scale,
                n_pairings=n_pairings,
            )
        self.result_ = replace(result, params={**result.params, "rng": seed})
        self.information_x_, self.information_y_ = held_out_information(
            x, y, self.folds_[: len(self.folds_) // len(result.mi_by_split)]
        )
        self.n_features_in_, self.n_features_y_ = x.shape[1], y.shape[1]
        for attribute in ("feature_names_in_", "feature_names_y_"):  # of an earlier fit
            if hasattr(self, attribute):
                delattr(self, attribute)
        return self


@with_shared_docs
def lmi(
    x: MatrixLike,
    y: MatrixLike,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    x_unpaired: MatrixLike | None = None,
    y_unpaired: MatrixLike | None = None,
    **params: Any,
) -> LMIResult:
    """Mutual information between two high-dimensional variables in bits, in one call.

    Fits :class:`LMI` (see there for what the parameters mean) and returns its result.

    Parameters
    ----------
    x, y
        Samples x features, dense or sparse; row i of both is one joint sample. Every column is scaled to unit variance,
        so pass features rather than their principal components, whose size would be lost. A vector of labels (strings
        or categories: fate, cell type, perturbation) stands for its one-hot columns. Dask arrays (of dense or CSR
        chunks), HDF5 datasets and anndata's backed CSR are read once and kept if they take no more than 2 GiB, and
        otherwise read some rows at a time whenever they are needed.
    groups
        Label of each sample; samples with the same label never part across a split. ``mi`` is that of all samples:
        where those of a group lie together on both sides (clone mates that share their fate), it holds what is peculiar
        to the group, and only ``p``, from one sample of each, does not.
    {strata_of_samples}
    x_unpaired, y_unpaired
        Further rows of x, or of y, without a partner: where pairs are few and samples many, they teach what either side
        looks like. The null stays exact.
    **params
        How the estimate is made: the parameters of :class:`LMI`.

    Returns
    -------
    The estimate: ``mi`` in bits with its error ``se``, interval ``ci`` and p-value ``p``, ``pmi`` per sample, the
    latent representations and the training history; of labels also their ``entropy``, the most there is to know.

    Raises
    ------
    ValueError
        If rows don't match, or are named alike in another order; if values are missing or infinite, or there are too
        few samples to split.
    TypeError
        If a parameter is unknown.

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
    own = [name for name in inspect.signature(lmi).parameters if name != "params"]
    for name in params.keys() - inspect.signature(LMI).parameters:
        # LMI itself would not know of these.
        near = did_you_mean(name, own, 1)
        if near:
            raise TypeError(f"lmi has no parameter {name!r}.{near}")
    model = LMI(**params)
    check_aligned(x=x, y=y, groups=groups, strata=strata)  # one-hot columns have lost their row names
    columns_x, columns_y = one_hot(x, "x"), one_hot(y, "y")
    model.fit(columns_x, columns_y, groups, strata=strata, x_unpaired=x_unpaired, y_unpaired=y_unpaired)
    of_labels = [
        entropy_of_labels(np.asarray(columns))
        for columns, given in ((columns_x, x), (columns_y, y))
        if columns is not given
    ]
    return replace(model.result_, entropy=min(of_labels)) if of_labels else model.result_
