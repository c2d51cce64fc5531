"""Barcodes with cells on two sides, whose labels have a known joint distribution."""

import numpy as np


def bits_between(p, q):
    """The divergence of two tables, in bits."""
    seen = p > 0
    return float((p[seen] * np.log2(p[seen] / q[seen])).sum())


def agreeing(share, tau):
    """Labels of both sides that agree for the share tau of barcodes, and are independent for the others."""
    return (1 - tau) * np.outer(share, share) + tau * np.diag(share)


def couples(joint, n, rng, *, mean_size=1.0, stray=0.0, equal_sizes=False):
    """Labels and barcodes of the cells of both sides.

    A barcode's pair of labels is drawn from the joint table; each of its cells has its side's, or, for the share
    `stray`, any. Sizes are geometric; `equal_sizes` makes clones that are large on one side large on the other.
    """
    n_labels = len(joint)
    drawn = rng.choice(n_labels**2, n, p=joint.ravel() / joint.sum())
    sizes = [rng.geometric(1 / mean_size, n) for _ in range(2)]
    if equal_sizes:
        sizes[1] = sizes[0]
    labels, shares = (drawn // n_labels, drawn % n_labels), (joint.sum(1), joint.sum(0))
    sides = []
    for label, size, share in zip(labels, sizes, shares, strict=True):
        barcode = np.repeat(np.arange(n), size)
        any_label = rng.choice(n_labels, len(barcode), p=share / share.sum())
        sides.append((np.where(rng.random(len(barcode)) < stray, any_label, label[barcode]), barcode))
    return sides


def truth(joint, stray=0.0):
    """Bits of the table of labels that such cells have, each barcode counting once."""

    def blur(share):
        return (1 - stray) * np.eye(len(share)) + stray * share

    p = blur(joint.sum(1)).T @ joint @ blur(joint.sum(0))
    return bits_between(p, np.outer(p.sum(1), p.sum(0)))
