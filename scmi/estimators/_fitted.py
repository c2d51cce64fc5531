"""What a fitted estimator does with new data."""

from os import PathLike
from typing import Self, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from scmi.estimators.inputs.checks import check_counts, check_same_length
from scmi.estimators.inputs.feature_names import Names, check_aligned, check_feature_names
from scmi.estimators.inputs.matrices import as_matrix
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.typing import Bits, Matrix, MatrixLike, Values

from ._fold import Fold
from ._score_pairs import best_partners, mean_ratio, mean_scores

__all__ = ["Fitted"]


class Fitted:
    """The half of :class:`scmi.LMI` that works with what was fitted, whatever its parameters are set to later."""

    folds_: list[Fold]
    n_features_in_: int
    n_features_y_: int

    @overload
    def transform(self, x: MatrixLike) -> NDArray[np.float32]: ...
    @overload
    def transform(self, x: MatrixLike, y: MatrixLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
    def transform(
        self, x: MatrixLike, y: MatrixLike | None = None
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
        model = self._fitted()[0]
        z_x = model.encode_x(self._as_x(x))
        return z_x if y is None else (z_x, model.encode_y(self._as_y(y)))

    def pmi(self, x: MatrixLike, y: MatrixLike, *, k: int | None = None) -> Bits:
        """Log density ratio of new pairs, log2 p(x, y) / (p(x) p(y)), in bits.

        The mean over the folds; each refers to the pairs that it had held out of its training. The mean over many pairs
        of the same population estimates their mutual information, as ``result_`` does.

        Parameters
        ----------
        x, y
            New pairs: row i of x with row i of y.
        k
            Which neighbour among the reference pairs sets the distance. One value is noisier than a mean, so the
            default is more than the estimator's ``k`` where there are few latent dimensions and many reference pairs;
            see :func:`~scmi.estimators.ratio_neighbours`.

        Returns
        -------
        One value per pair, in bits.

        References
        ----------
        Algorithm 2 of :cite:t:`Gowri2024`; see :func:`~scmi.estimators.log_density_ratio`.
        """
        folds = self._fitted()
        check_aligned(x=x, y=y)
        matrix_x, matrix_y = self._as_x(x), self._as_y(y)
        check_same_length(matrix_x, matrix_y)
        return mean_ratio(folds, matrix_x, matrix_y, k)

    @overload
    def score_pairs(self, x: MatrixLike, y: MatrixLike, *, k: int | None = None) -> Bits: ...
    @overload
    def score_pairs(
        self, x: MatrixLike, y: MatrixLike, *, k: int | None = None, out: NDArray[np.floating]
    ) -> NDArray[np.floating]: ...
    @overload
    def score_pairs(self, x: MatrixLike, y: MatrixLike, *, k: int | None = None, top_k: int) -> pd.DataFrame: ...
    def score_pairs(
        self,
        x: MatrixLike,
        y: MatrixLike,
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
        folds = self._fitted()
        matrix_x, matrix_y = self._as_x(x), self._as_y(y)
        n_x, n_y = matrix_x.shape[0], matrix_y.shape[0]
        if out is not None and top_k is not None:
            raise ValueError("`out` takes the whole matrix and `top_k` asks for a part of it: pass one of them.")
        if out is not None and not np.issubdtype(out.dtype, np.floating):
            raise TypeError(
                f"`out` holds {out.dtype}, which would cut bits down to whole numbers; pass an array of floats."
            )
        if out is not None and out.shape != (n_x, n_y):
            raise ValueError(f"`out` has shape {out.shape}; expected rows of x x rows of y, {(n_x, n_y)}.")
        if top_k is not None:
            check_counts(top_k=top_k)
        elif out is None:
            out = np.empty((n_x, n_y))
        tables = []
        for rows, scores in mean_scores(folds, matrix_x, matrix_y, k):
            if top_k is not None:
                tables.append(best_partners(scores, rows.start, top_k))
            elif out is not None:
                out[rows] = scores
        return pd.concat(tables, ignore_index=True) if out is None else out

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted estimator to one file: NumPy's ``.npz`` with JSON inside, no pickle.

        The file is written whole or not at all: whatever goes wrong (a full disk, an interrupt), an earlier file of
        that name is left as it was.

        Parameters
        ----------
        path
            File to write, replaced if it exists; where it is a symbolic link, the file that this points to is. An
            integer given as ``rng`` is kept, anything else (a generator, a seed sequence) is not: None takes its place.

        Raises
        ------
        OSError
            If the file can't be written.
        TypeError, ValueError
            If a parameter was set, since the fit, to what can't be.
        """
        prepare_torch()
        from ._save import save

        save(self, self._fitted(), path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what :meth:`save` wrote. No code in the file is run, so files of strangers are safe.

        A checksum tells of damage, and all that the file holds has to fit together before any of it is used. A model
        that was fitted on a device that is not to be had here, such as ``"cuda"``, is loaded to the best that there is.

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
            If the file was not written by :meth:`save`, or by another version of its format, or is damaged.
        OSError
            If it can't be read.

        Warns
        -----
        UserWarning
            If ``device`` names one that is not to be had here; it is then set to ``"auto"``.
        """
        prepare_torch()
        from ._load import load

        return load(cls, path)

    def predict_y(self, x: MatrixLike) -> Values:
        """What the cross-decoders expect of y given x, in the units of y; the mean over the folds."""
        folds, matrix = self._fitted(), self._as_x(x)
        return np.asarray(np.mean([fold.predict_y(matrix) for fold in folds], axis=0))

    def predict_x(self, y: MatrixLike) -> Values:
        """What the cross-decoders expect of x given y, in the units of x; the mean over the folds."""
        folds, matrix = self._fitted(), self._as_y(y)
        return np.asarray(np.mean([fold.predict_x(matrix) for fold in folds], axis=0))

    def _fitted(self) -> list[Fold]:
        check_is_fitted(self, "folds_")
        return self.folds_

    def _as_x(self, x: MatrixLike) -> Matrix:
        return _checked(x, self.n_features_in_, getattr(self, "feature_names_in_", None), "x")

    def _as_y(self, y: MatrixLike) -> Matrix:
        return _checked(y, self.n_features_y_, getattr(self, "feature_names_y_", None), "y")


def _checked(values: MatrixLike, n_features: int, names: Names | None, name: str) -> Matrix:
    check_feature_names(values, names, name)
    matrix = as_matrix(values, name)
    if matrix.shape[1] != n_features:
        raise ValueError(f"{name} has {matrix.shape[1]} features, but LMI is expecting {n_features} features as input.")
    return matrix
