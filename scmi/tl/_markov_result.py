"""What the Markov test returns and stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scmi._words import Printed, bits_in_words, in_bits, p_in_words
from scmi.estimators.inference.comparison import Comparison
from scmi.estimators.inference.interval import Z, interval
from scmi.estimators.result import LMIResult
from scmi.tl._depths import in_words, unequal
from scmi.tl._stored import null_table
from scmi.typing import Bits

__all__ = ["Estimate", "MarkovTest", "formula"]

# A difference is told of as one where p is at most this.
LEVEL = 0.05
# Of fewer barcodes the result says what they can't show; the table of the level (docs/inference.md) begins at 343.
FEW = 100
# Standard errors that a difference must have to be seen at that level four times in five: 1.64 and .84.
SEEN = 2.49


@dataclass(frozen=True, kw_only=True, repr=False)
class Estimate(Printed):
    """One of the estimates of the Markov test.

    Parameters
    ----------
    between
        The two samples.
    mi
        Mutual information in bits, the mean of the pMI: nothing is corrected, so that estimates can be compared.
    se
        Its standard error in bits.
    ci
        Its 90 % interval; up to infinity where so many barcodes can show no more.
    p
        Permutation test against independence.
    null
        The estimate under each permutation of the partners, in bits.
    n_pairs
        Barcodes estimated.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(400, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> test = sm.tl.markov_test(adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well")
    >>> test.early_late.between
    ('2', '6, well 2')
    """

    between: tuple[str, str]
    mi: float
    se: float
    ci: tuple[float, float]
    p: float
    null: Bits
    n_pairs: int

    @classmethod
    def of(cls, result: LMIResult, between: tuple[str, str]) -> "Estimate":
        """The part of a result that the test keeps."""
        return cls(
            between=between,
            mi=result.mi_ksg,
            se=result.se,
            ci=interval(result.mi_ksg, result.se, saturated=result.ci[1] == np.inf),
            p=result.p,
            null=result.null,
            n_pairs=result.n_pairs,
        )

    def __str__(self) -> str:
        if self._saturated():
            return f"{self.name} of at least {self.mi:.3f} bits"
        return f"{self.name} = {self.mi:.3f}{_plus_minus(self.se)} bits"

    def _rows(self) -> dict[str, str]:
        return {self.name: self._bits(), "estimated from": f"{self.n_pairs:,} barcodes"}

    @property
    def name(self) -> str:
        """As a formula."""
        return formula(self.between)

    def _saturated(self) -> bool:
        """Whether so many barcodes can show no more, so that the interval has no upper end."""
        return self.ci[1] == np.inf

    def _bits(self) -> str:
        if self._saturated():
            return f"at least {in_bits(self.mi)} bits"
        return f"{in_bits(self.mi)} bits" + ("" if np.isnan(self.se) else f" ({bits_in_words(self.ci)})")

    def as_uns(self) -> dict[str, Any]:
        """In types that h5ad and zarr can hold."""
        return {
            "between": list(self.between),
            "mi": self.mi,
            "se": self.se,
            "ci": list(self.ci),
            "p": self.p,
            "null": null_table(self.null),
            "n_pairs": self.n_pairs,
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class MarkovTest(Printed):
    """Whether sisters share more than their progenitor's transcriptome tells; see :func:`scmi.tl.markov_test`.

    Parameters
    ----------
    early_late
        Information between the early sample and the second late one.
    late_late
        Information between the two late samples, cells of separate wells.
    difference
        ``late_late.mi - early_late.mi`` in bits.
    se
        Its standard error in bits.
    ci
        Its 90 % interval.
    p
        One-sided: how probable a difference as large is if the early state were enough.
    share
        ``difference`` as a share of ``late_late.mi``; NaN where that is not positive.
    depth_matched
        The same test on counts drawn down to equal totals, if it was asked for.
    depth
        That total; 0 for the test on the data as they are.
    depths
        Mean UMIs per cell of the early sample and the two late ones, where counts are at hand: those of
        ``counts_layer``, or ``.obs["total_counts"]``, or a layer called "counts".
    ceiling
        Information between sisters at the early time, if there are replicates: what measurement noise leaves of it.
    missing
        Why ``se`` or ``ceiling`` are missing, by name; empty where they are not.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(400, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> test = sm.tl.markov_test(adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well")
    >>> test.difference == test.late_late.mi - test.early_late.mi
    True
    >>> test.missing
    {'ceiling': 'one well only at the early time'}
    """

    early_late: Estimate
    late_late: Estimate
    difference: float
    se: float
    ci: tuple[float, float]
    p: float
    share: float
    depth_matched: "MarkovTest | None" = None
    depth: int = 0
    depths: tuple[float, float, float] | None = None
    ceiling: Estimate | None = None
    missing: dict[str, str]

    @classmethod
    def of(
        cls,
        compared: Comparison,
        samples: tuple[str, str, str],
        *,
        depth: int = 0,
        depths: Sequence[float] | None = None,
        depth_matched: "MarkovTest | None" = None,
        ceiling: Estimate | None = None,
        missing: dict[str, str] | None = None,
    ) -> "MarkovTest":
        """The test from the two estimates; ``samples`` names the early one and the late ones."""
        early, late, sister = samples
        total = compared.second.mi_ksg
        return cls(
            early_late=Estimate.of(compared.first, (early, sister)),
            late_late=Estimate.of(compared.second, (late, sister)),
            difference=compared.difference,
            se=compared.se,
            ci=compared.ci,
            p=compared.p,
            share=compared.difference / total if total > 0 else np.nan,
            depth_matched=depth_matched,
            depth=depth,
            depths=None if depths is None else (depths[0], depths[1], depths[2]),
            ceiling=ceiling,
            missing={**({"se": compared.missing} if compared.missing else {}), **(missing or {})},
        )

    def __str__(self) -> str:
        low, high = self.ci
        # Below 0 and above 1 it is noise or the absence of a violation, and no share of anything.
        shown = 0 < self.share <= 1 and not self._poor_early()
        share = f", {self.share:.0%} of what sisters share" if shown else ""
        controls = []
        if self.depth_matched is not None:
            lower = self.depth_matched
            controls.append(
                f"at {lower.depth:,} counts per cell: {lower.difference:+.3f}{_plus_minus(lower.se)} bits (p "
                f"{p_in_words(lower.p)})"
            )
        if self.ceiling is not None:
            controls.append(f"ceiling {self.ceiling}")
        return "\n".join(
            [
                f"{self.early_late}, {self.late_late}, {self.late_late.n_pairs:,} barcodes",
                f"Difference {self.difference:+.3f} bits (90 % interval {low:.3f} to {high:.3f}, one-sided p "
                f"{p_in_words(self.p)}){share}",
                f"Controls: {'; '.join(controls) or 'none'}",
                *self._about_ceiling(),
                *self._about_depth(),
                *self._about_number(),
            ]
        )

    def _poor_early(self) -> bool:
        """Whether early sisters, who have only just divided, share less than late ones, by more than both errors."""
        if self.ceiling is None or self.ceiling._saturated():
            return False
        error = np.hypot(self.ceiling.se, self.late_late.se)
        return bool(self.late_late.mi - self.ceiling.mi > Z * np.nan_to_num(error))

    def _about_ceiling(self) -> list[str]:
        """What a low ceiling makes of the difference."""
        if not self._poor_early():
            return []
        return [
            "The ceiling is below what late sisters share: the early time is measured too poorly (or its barcodes are "
            "wrong), which by itself lets sisters share more than it tells. Nothing is said about memory."
        ]

    def _about_number(self) -> list[str]:
        """What so few barcodes can't show, where they are few."""
        n = self.late_late.n_pairs
        if n >= FEW:
            return []
        if np.isnan(self.se):
            return [f"Few barcodes: of {n} no error can be told, and so nothing of the difference."]
        return [f"Few barcodes: of {n}, a difference below {SEEN * self.se:.1f} bits would mostly go unseen."]

    def _about_depth(self) -> list[str]:
        """What unequal depths make of the difference, where they are."""
        if self.depths is None or not unequal(self.depths):
            return []
        names = (self.early_late.between[0], self.late_late.between[0], self.late_late.between[1])
        told = f"Depths differ: {in_words(self.depths, [repr(name) for name in names])}"
        if self.depth_matched is None:
            return [f"{told}. The shallower side's information is lower by that alone: pass `counts_layer`."]
        if self.p > LEVEL:
            return [f"{told}; the test at equal depth is the fairer one."]
        if self.depth_matched.p > LEVEL:
            return [f"{told}, enough to explain the difference, which is not there at equal depth."]
        return [f"{told}, not enough to explain the difference, which is there at equal depth too."]

    def _rows(self) -> dict[str, str]:
        rows = {arm.name: arm._bits() for arm in (self.early_late, self.late_late)}
        rows["difference"] = f"{self.difference:+.2f} bits" + (
            "" if np.isnan(self.se) else f" ({bits_in_words(self.ci)})"
        )
        if not np.isnan(self.p):
            rows["p, one-sided"] = p_in_words(self.p, "")
        rows["estimated from"] = f"{self.late_late.n_pairs:,} barcodes"
        if about_number := self._about_number():
            rows["caution"] = about_number[0]
        if self.depth_matched is not None:
            lower = self.depth_matched
            rows[f"difference at {lower.depth:,} counts per cell"] = f"{lower.difference:+.2f} bits"
        if self.ceiling is not None:
            rows[f"ceiling {self.ceiling.name}"] = self.ceiling._bits()
        if about_ceiling := self._about_ceiling():
            rows["about the ceiling"] = about_ceiling[0]
        return rows

    def as_uns(self) -> dict[str, Any]:
        """In types that h5ad and zarr can hold."""
        return {
            "early_late": self.early_late.as_uns(),
            "late_late": self.late_late.as_uns(),
            "difference": self.difference,
            "se": self.se,
            "ci": list(self.ci),
            "p": self.p,
            "share": self.share,
            "depth": self.depth,
            **({} if self.depths is None else {"depths": list(self.depths)}),
            **({} if self.depth_matched is None else {"depth_matched": self.depth_matched.as_uns()}),
            **({} if self.ceiling is None else {"ceiling": self.ceiling.as_uns()}),
            "missing": self.missing,
        }


def formula(between: tuple[str, str]) -> str:
    """The information between two samples, of these names."""
    return f"I({between[0]}; {between[1]})"


def _plus_minus(se: float) -> str:
    return "" if np.isnan(se) else f" ± {se:#.2g}"
