"""What an estimate returns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scmi._docs import with_shared_docs
from scmi._words import EstimateInWords, Printed, in_bits
from scmi.estimators.inference.learning import Learning
from scmi.estimators.inputs.pairing import Draw
from scmi.typing import Bits, Index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scmi.estimators.latent.descend import History

__all__ = ["LMIResult", "MIResult", "mi_by_pairing"]


@with_shared_docs
@dataclass(frozen=True, kw_only=True, repr=False)
class MIResult(Printed):
    """A mutual information estimate of a trained model.

    Parameters
    ----------
    mi
        Mutual information in bits: the mean of ``pmi`` over all estimated pairs.
    pmi
        Pointwise mutual information of each pair in bits; NaN for pairs that were not estimated (the training half of
        a single split). For plain arrays, entry i belongs to row i of x and y.
    fold
        Which fold estimated the pair (its networks never saw it); -1 for none.
    history
        The course of each fold's training. For :func:`scmi.mine` and :func:`scmi.infonce` its losses are minus the
        bound, in bits.
    {params}

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> result = sm.infonce(x, 2 * x)
    >>> result.n_pairs, result.pmi.shape, result.mi > 0.5
    (60, (60,), True)
    """

    mi: float
    pmi: Bits
    fold: Index
    history: tuple["History", ...]
    params: dict[str, Any]

    @property
    def n_pairs(self) -> int:
        """How many pairs were estimated."""
        return int((self.fold >= 0).sum())

    def to_dict(self) -> dict[str, Any]:
        """The numbers and the settings, flat and ready for JSON: one row of a table.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import scmi as sm
        >>> x, y = np.random.default_rng(0).normal(size=(2, 100, 5))
        >>> results = [sm.lmi(x, y, k=k) for k in (3, 5)]
        >>> pd.DataFrame([result.to_dict() for result in results])["k"].tolist()
        [3, 5]
        """
        return {"mi": self.mi, "n_pairs": self.n_pairs, **self.params}

    def __str__(self) -> str:
        return f"{in_bits(self.mi)} bits, {self.n_pairs:,} pairs"

    def _rows(self) -> dict[str, str]:
        return {"mutual information": f"{in_bits(self.mi)} bits", "estimated from": f"{self.n_pairs:,} pairs"}


@with_shared_docs
@dataclass(frozen=True, kw_only=True, repr=False)
class LMIResult(MIResult):
    """A latent mutual information estimate and its parts.

    Parameters
    ----------
    mi
        Mutual information in bits, the number to report: ``mi_ksg`` plus what KSG misses where dependence spreads over
        many dimensions, or ``mi_ksg`` itself where that correction can't be trusted. See
        :func:`scmi.estimators.correct`.
    mi_ksg
        The mean of ``pmi`` over all estimated pairs, in bits, before any correction.
    corrected
        Whether the correction was applied.
    correction
        Why it was applied or not, in words.
    se
        Standard error of ``mi`` in bits: its parts, added in squares.
    se_parts
        Where it comes from, in bits. ``"sampling"``: other barcodes of the same population, by subsampling with the
        encoders fixed (:func:`scmi.estimators.subsampling_error`, on the first random pairing, so
        that it is a little too large where many are averaged). ``"pairing"``, where there are several random pairings:
        their standard deviation by the root of their number, which is all that the paper's "+- SEM" covers.
        ``"splits"``, where there are several: their standard deviation by the root of their number. ``"correction"``,
        where one was applied: what that varies by itself. ``"retraining"``,
        with ``n_retrain``: the standard deviation over trainings with other splits and seeds, on the
        same pairs; not measured otherwise.
    ci
        90 % interval around ``mi``, normal. It leaves the bias out: see ``settled`` and ``learning``. Near the most
        that so many pairs can show it has no upper end (``inf``): estimates hardly vary there, and the truth may be any
        number above.
    p
        Whether x and y are independent: one-sided, by permuting the partners of the held-out pairs of the first random
        pairing, one pair of each group, with the encoders fixed. Exact within each fold; see
        :func:`scmi.estimators.permutation_test`. Where a fold holds more than 700 pairs, as many
        of them, drawn at random, serve for ``p`` and ``se``, so that both cost less than training: dependence of a few
        hundredths of a bit may then be missed. With ``null="retrain"``: by estimating anew, with models of their own,
        pairs whose partners are permuted.
    null
        The estimate under each permutation, in bits.
    missing
        Why ``se`` or ``p`` is NaN (too few pairs, or no test asked for); empty where neither is.
    drift
        How ``mi_ksg`` would move with fewer pairs and other neighbours, for plotting: the ``mean`` and ``sd`` in bits
        over ``n_subsets`` disjoint subsets of ``n_pairs`` pairs with the ``k``-th neighbour, of the pairs that serve
        for ``se`` (their estimate is the row of one subset). No rows where these are too few.
    settled
        Whether neither half the pairs nor twice the neighbours move ``mi_ksg`` by more than two standard errors; see
        :func:`scmi.estimators.drift_check`. Where not, and no correction was applied, a warning
        says so.
    learning
        How ``mi`` grows from half of the training barcodes to all, what it should come to with twice as many, and
        whether it has levelled off; where not, it is a lower bound. See :class:`scmi.estimators.Learning`.
    pmi
        Pointwise mutual information of each pair in bits; NaN for pairs that were not estimated (the training half of
        a single split). For :func:`scmi.lmi`, entry i belongs to row i of x and y.
    fold
        Which fold of the first split estimated the pair (its networks never saw it); -1 for none.
    mi_by_split
        The mean of the pMI in each split, in bits. Where barcodes are few, one split by itself is a matter of chance:
        ``pmi`` and ``mi_ksg`` are means over several, and so is what is tested.
    pairs
        The pairs: their pairing, barcode, row of x and row of y.
    z_x, z_y
        Latent representation of every row of x and of y: rows x latent dimensions. All from the first fold's encoders,
        so that they share one space.
    entropy
        The most there is to know, in bits, where :func:`scmi.lmi` was given labels: their entropy H, the lesser one of
        two vectors of labels. NaN elsewhere.
    history
        The course of each fold's training; empty where no network was trained.
    {params}

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 5))
    >>> result = sm.lmi(x, x + rng.normal(size=(200, 5)), rng=0)
    >>> result.pmi.shape
    (200,)
    >>> "p = 0.001, 200 pairs" in str(result)
    True
    """

    mi_ksg: float
    corrected: bool
    correction: str
    se: float
    se_parts: dict[str, float]
    ci: tuple[float, float]
    p: float
    null: Bits
    missing: dict[str, str]
    drift: pd.DataFrame
    settled: bool
    learning: Learning
    mi_by_split: Bits
    pairs: Draw
    z_x: "NDArray[np.float32]"
    z_y: "NDArray[np.float32]"
    entropy: float = np.nan

    @property
    def n_pairs(self) -> int:
        """How many barcodes (or rows, for plain arrays) were estimated."""
        return len(np.unique(self.pairs.barcode[self.fold >= 0]))

    def to_dict(self) -> dict[str, Any]:
        """The numbers and the settings, flat and ready for JSON: one row of a table."""
        more = {name: getattr(self, name) for name in ("mi_ksg", "corrected", "correction", "se", "p", "settled")}
        return {**super().to_dict(), **more, "ci_low": self.ci[0], "ci_high": self.ci[1]}

    def __str__(self) -> str:
        return self._in_words().sentence()

    def _rows(self) -> dict[str, str]:
        return self._in_words().rows()

    def _in_words(self) -> EstimateInWords:
        return EstimateInWords(
            mi=self.mi,
            ci=self.ci,
            mi_ksg=self.mi_ksg,
            correction=self.correction,
            p=self.p,
            counted=f"{self.n_pairs:,} pairs",
            entropy=self.entropy,
            expected=None if self.learning.levelled else self.learning.expected,
        )

    @property
    def mi_by_pairing(self) -> Bits:
        """Mutual information of each random pairing, in bits."""
        return mi_by_pairing(self.pairs, self.pmi)


def mi_by_pairing(pairs: Draw, pmi: Bits) -> Bits:
    """Mean pMI of each random pairing, in bits."""
    estimated = ~np.isnan(pmi)
    total = np.bincount(pairs.pairing[estimated], pmi[estimated])
    mean: Bits = total / np.bincount(pairs.pairing[estimated])
    return mean
