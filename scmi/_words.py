"""How results print: as a sentence, and as a small table in notebooks."""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

__all__ = ["EstimateInWords", "Printed", "bits_in_words", "did_you_mean", "in_bits", "in_two_digits", "p_in_words"]

# Smaller ones are the tail of an approximation.
LEAST_P = 1e-6
# Of estimates that may be chance nothing is forecast.
CHANCE = 0.05


class Printed:
    """What prints as the sentence that ``str`` gives, and in notebooks as a table.

    A dataclass has to say ``repr=False``, or it brings a ``repr`` of its own.
    """

    def __repr__(self) -> str:
        return str(self)

    def _rows(self) -> dict[str, str]:
        """Names and values of the table."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in self._rows().items()
        )
        return f"<table>{rows}</table>"


def p_in_words(p: float, sign: str = "= ") -> str:
    """Two digits, as many as tell .046 from .054; those too small for a number are said to be that."""
    return f"< {LEAST_P:.0e}" if p < LEAST_P else f"{sign}{p:.2g}"


def in_bits(value: float) -> str:
    """Two decimals; not "-0.00"."""
    return f"{round(float(value), 2) + 0.0:.2f}"


def bits_in_words(ends: Sequence[float]) -> str:
    """From where to where."""
    return f"{in_bits(ends[0])} to {in_bits(ends[1])}"


def did_you_mean(key: object, names: Iterable[object], most: int = 3) -> str:
    """A sentence that names what is spelled much the same, if there is such: 4 where the text "4" was given."""
    by_text = {str(name): name for name in names}
    near = [repr(by_text[text]) for text in difflib.get_close_matches(str(key), list(by_text), most)]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def in_two_digits(*values: float) -> list[str]:
    """Numbers of one kind, to the two leading digits of the largest: an onset and its interval are good for no more."""
    largest = max(abs(value) for value in values)
    decimals = 1 - math.floor(math.log10(largest)) if largest > 0 else 0
    # Not "-0.00".
    return [f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}" for value in values]


@dataclass(frozen=True, kw_only=True)
class EstimateInWords:
    """What a sentence and a table say of an estimate; what is NaN they leave out.

    Parameters
    ----------
    mi, ci
        The number to report and its 90 % interval, in bits: without an upper end, ``mi`` is the least there is; NaN
        where pairs are too few to tell an error.
    mi_ksg
        The number before any correction, in bits.
    correction
        Why it was corrected or not.
    p
        Of the permutation test.
    counted
        What it was estimated from.
    entropy
        The most there is to know, in bits, where a side holds labels.
    expected
        What twice as much should give, in bits, where the estimate is a lower bound. Nothing is forecast where there
        may be any number of bits above it, nor of what may be chance.

    Examples
    --------
    >>> import numpy as np
    >>> from scmi._words import EstimateInWords
    >>> facts = {"mi_ksg": 0.98, "correction": "not applied", "entropy": np.nan, "expected": None}
    >>> facts["counted"] = "113 barcodes"
    >>> EstimateInWords(mi=0.98, ci=(0.78, 1.18), p=0.001, **facts).sentence()
    '0.98 bits (90 %: 0.78 to 1.18), p = 0.001, 113 barcodes'
    >>> facts["counted"] = "300 pairs"
    >>> EstimateInWords(mi=5.15, ci=(5.09, np.inf), p=0.001, **facts).sentence()
    'at least 5.15 bits, more than 300 pairs can show in full, p = 0.001'
    """

    mi: float
    ci: Sequence[float]
    mi_ksg: float
    correction: str
    p: float
    counted: str
    entropy: float
    expected: Sequence[float] | None

    def sentence(self) -> str:
        """All but the correction."""
        parts = [self._bits()]
        if not self._saturated:
            told = "too few for an interval" if np.isnan(self.ci[0]) else f"90 %: {bits_in_words(self.ci)}"
            parts[0] += f" ({told})"
        if not np.isnan(self.entropy):
            parts[0] += f" of the {self.entropy:.2f} that the labels hold"
        if self._saturated:
            parts.append(f"more than {self.counted} can show in full")
        if not np.isnan(self.p):
            parts.append(f"p {p_in_words(self.p)}")
        if not self._saturated:
            parts.append(self.counted)
        if self._forecast is None:
            return ", ".join(parts)
        return f"{', '.join(parts)}; a lower bound: twice as many should give {bits_in_words(self._forecast)}"

    @property
    def _saturated(self) -> bool:
        return self.ci[1] == np.inf

    @property
    def _forecast(self) -> Sequence[float] | None:
        return None if self._saturated or self.p > CHANCE else self.expected

    def _bits(self) -> str:
        return f"{'at least ' if self._saturated else ''}{in_bits(self.mi)} bits"

    def rows(self) -> dict[str, str]:
        """Names and values."""
        rows = {"mutual information": self._bits()}
        if self._saturated:
            rows["90 % interval"] = "none: more than so many can show in full"
        else:
            rows["90 % interval"] = (
                "none: of so few no error can be told" if np.isnan(self.ci[0]) else f"{bits_in_words(self.ci)} bits"
            )
        if not np.isnan(self.entropy):
            rows["entropy of the labels"] = f"{self.entropy:.2f} bits"
        if not np.isnan(self.p):
            rows["p"] = p_in_words(self.p, "")
        rows["estimated from"] = self.counted
        if self._forecast is not None:
            rows["a lower bound"] = f"twice as many should give {bits_in_words(self._forecast)} bits"
        if self.mi != self.mi_ksg:
            rows["before correction"] = f"{in_bits(self.mi_ksg)} bits"
        rows["correction"] = self.correction
        return rows
