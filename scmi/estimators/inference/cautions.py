"""What a careful user of an estimate should be told, each with the threshold at which it was seen to matter."""

from collections.abc import Sequence

import numpy as np

from scmi.typing import Bits

__all__ = ["cautions", "is_saturated"]

# KSG of x with itself gives log2 N - 1.3 bits (6.3, 8.6 and 12.0 for N = 200, 1,000 and 10,000), and no more for
# anything.
SATURATION = 1.3
# Gaussians of 5 bits come out as 4.6 from 200 pairs, those of 7 bits as 6.7 from 1,000: a third of a bit too low, and
# several standard errors, since these shrink towards the highest (.15 for 3 bits of 50 pairs, .02 for 8).
NEAR_SATURATION = 1.8
# A correction holds longer (5.97 of 6 bits in one, three or six dimensions of 1,000 pairs, 5.03 of 5 in six of 400),
# and is too small from here on: 6.55 of 8 bits of 1,000 pairs, 4.44 of 6.40 of 250, 8.34 of 10 of 2,000.
NEAR_CORRECTED = 1.3
# 1 bit in one of L Gaussian dimensions a side comes out of 1,000 pairs as .63, .44, .27 and .24 for L = 4, 8, 10 and
# 16.
MANY_DIMENSIONS = 20
# Standard errors by which the mean of the null may lie above 0, and bits that are nothing by any measure.
NULL_ERRORS, NULL_BITS = 2.0, 0.01


def highest_of(n_held_out: int) -> float:
    """About the most that KSG gives of so many pairs that it sees at once, in bits."""
    return float(np.log2(n_held_out) - SATURATION)


def is_saturated(mi: float, mi_ksg: float, n_held_out: int) -> bool:
    """Whether an estimate is so near the most that its pairs can show that the truth may be any number above it.

    Parameters
    ----------
    mi
        The estimate in bits, corrected or not.
    mi_ksg
        The mean of the pMI, in bits.
    n_held_out
        Pairs that KSG saw at once.
    """
    highest = highest_of(n_held_out)
    # Of a few dozen pairs the half is the higher bar: they can hardly show more than what chance gives.
    both = (mi_ksg, NEAR_SATURATION), (mi, NEAR_CORRECTED)
    return any(bits > max(highest - near, highest / 2) for bits, near in both)


def cautions(
    mi_ksg: float,
    se: float,
    null: Bits,
    n_pairs: int,
    n_held_out: int,
    n_latent: int,
    *,
    saturated: bool,
    kept: float,
    constant: Sequence[str],
    improving: bool,
    drifting: bool,
    several_rows: bool,
) -> list[tuple[str, str]]:
    """Kinds and sentences for the user; none where nothing is to be said.

    Parameters
    ----------
    mi_ksg
        The mean of the pMI, in bits.
    se
        Standard error of the estimate.
    null
        What permuted partners give.
    n_pairs
        All pairs of different barcodes.
    n_held_out
        Those that KSG saw at once.
    n_latent
        Largest number of latent dimensions of a side.
    saturated
        Whether more may be shared than the pairs can show.
    kept
        The share of pairs that a permutation leaves as they are, on average.
    constant
        Sides that don't vary.
    improving
        Whether a training ended by its budget.
    drifting
        Whether the estimate still moves with the number of pairs or of neighbours, and was not corrected.
    several_rows
        Whether a pair is one of several that its barcode has rows for: then barcodes are what is short, not cells.
    """
    found = [
        (
            f"constant {side}",
            f"All rows of {side} are the same, as far as training has seen them: it can tell nothing, and the estimate "
            "is 0 by that alone.",
        )
        for side in constant
    ]
    if saturated:
        found.append(
            (
                "saturated",
                f"So much is shared that {n_pairs:,} pairs can't show it all (their neighbours tell of "
                f"{highest_of(n_held_out):.1f} bits at most): the dependence is nearly deterministic or spread over "
                "many dimensions (or the same samples are on both sides, or listed twice), and the true information "
                "may be much higher than the estimate. Use more pairs.",
            )
        )
    # Permutations within blocks leave some partners where they are.
    if len(null) and null.mean() - kept * mi_ksg > max(NULL_ERRORS * (se if se > 0 else null.std()), NULL_BITS):
        found.append(
            (
                "null",
                f"Permuted partners give {null.mean():.2f} bits where they should give 0, so the estimate is too high "
                "by about as much. Values that recur cause this (counts, labels, samples listed twice), and so do "
                "`strata` that tell of both sides. Compare with `null`, and believe `p`.",
            )
        )
    if 2 * n_latent > MANY_DIMENSIONS:
        found.append(
            (
                "dimensions",
                f"{n_latent} latent dimensions a side are more than can be measured in: beyond "
                f"{MANY_DIMENSIONS // 2}, most of the information goes unseen. Use a smaller `n_latent`, or None.",
            )
        )
    if improving:
        found.append(
            (
                "improving",
                "Training reached its budget while still improving, so the estimate may be too low. Raise `max_steps` "
                "of your preset: of the default one by `preset=replace(PRESETS['default'], max_steps=5000)`.",
            )
        )
    if drifting and not saturated:
        found.append(
            (
                "drifting",
                "The estimate has not settled: with half the pairs, or compared with twice as many neighbours, it "
                "moves by more than two standard errors (see the table `drift`), so it may be further from the truth "
                f"than its error says. Use more {'shared barcodes' if several_rows else 'pairs'}.",
            )
        )
    return found
