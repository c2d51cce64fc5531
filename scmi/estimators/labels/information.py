"""How much features tell of labels: from calibrated probabilities of classes, cross-fitted by whole groups."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from scmi._docs import with_shared_docs
from scmi._warnings import warn
from scmi.estimators.inference.heldout import one_of_each
from scmi.estimators.inference.interval import interval
from scmi.estimators.inference.local import FEWEST, local_mean, neighbourhoods
from scmi.estimators.inference.permutation import p_value, permutations_within
from scmi.estimators.inputs.checks import TooFew, as_codes, as_generator, check_counts, check_same_length
from scmi.estimators.inputs.feature_names import check_aligned
from scmi.estimators.inputs.matrices import as_matrix
from scmi.estimators.inputs.pairing import partition
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.typing import Bits, Index, Matrix, MatrixLike, Rng, Values

from .classes import Features, fit_classes
from .result import LabelResult
from .targets import as_targets

if TYPE_CHECKING:
    from scmi.estimators.inputs.rows import Scale

__all__ = ["label_information"]

# Parts of the cells that are predicted in turn, by models of the others.
N_FOLDS = 5
FEWEST_GROUPS = 20
# Leading principal components that tell of labels; of no more columns than `components.FEW_FEATURES` all are kept.
N_COMPONENTS = 50
# Columns are kept at hand where they take no more.
MAX_BYTES = 2**30
# Labels of fewer groups than this can hardly be learned.
FEW_GROUPS = 5
# Cells of no label at all count as so many towards the labels' shares in a training part.
PRIOR_CELLS = 0.5
# How many of them the labels' overall shares count as, within a condition.
CONDITION_CELLS = 2.0
# Coordinates of the log odds among which neighbours are counted.
N_LATENT = 4
LN2 = float(np.log(2))


@with_shared_docs
def label_information(
    x: MatrixLike,
    labels: MatrixLike | ArrayLike,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    condition_on: ArrayLike | None = None,
    n_permutations: int = 999,
    common_scale: bool = False,
    rng: Rng = 0,
) -> LabelResult:
    """How much features tell of a label (cell type, fate, drug, genotype), in bits and as a share of what there is.

    Cells are predicted by logistic models (linear in the leading principal components, or in a kernel of them) that
    never saw their group, and calibrated inside the training part. The pMI of a cell is log2 p(label | x) / p(label);
    its mean can't exceed the truth but by chance, whatever the model, and reaches it where the model is right.

    Parameters
    ----------
    x
        Cells x features.
    labels
        One for each cell: text, categories, integers or booleans; missing where a cell has none. Or cells x labels,
        counts such as those of the fates of a cell's descendants: of one of them, drawn at random, is told.
    groups
        A label for each cell (clone, donor, protein family): cells that share one are never predicted from each other,
        and count as one observation in error and test.
    strata
        A label for each cell: labels are permuted within them.
    condition_on
        A label for each cell (donor, batch, cluster): what is told beyond it.
    n_permutations
        Of the labels; 0 for no test.
    common_scale
        Whether columns keep their relative size, as principal components should; otherwise each has unit variance.
    {rng}

    Returns
    -------
    The estimate, per cell and per label.

    Raises
    ------
    ValueError
        If lengths differ, or rows are named alike in another order; if values are missing or infinite, or there are
        fewer than two labels.
    TooFew
        If there are fewer than 20 groups.
    TypeError
        If labels are numbers.

    Warns
    -----
    UserWarning
        If a label has fewer than five groups: then it can hardly be learned.

    References
    ----------
    The bound is that of Barber and Agakov (2003), The IM algorithm; nearest neighbours for labels follow Ross (2014),
    PLoS ONE 9, e87357.

    Examples
    --------
    >>> import numpy as np
    >>> from scmi.estimators import label_information
    >>> rng = np.random.default_rng(0)
    >>> label = rng.choice(["T cell", "B cell"], 400)
    >>> x = rng.normal(size=(400, 5)) + 2.0 * (label == "T cell")[:, None]
    >>> result = label_information(x, label, n_permutations=99)
    >>> round(result.entropy, 1), 0.8 < result.share < 1
    (1.0, True)
    """
    check_counts(least=0, n_permutations=n_permutations)
    generator = as_generator(rng)
    check_aligned(x=x, labels=labels, groups=groups, strata=strata, condition_on=condition_on)
    matrix = as_matrix(x, "x")
    targets = as_targets(labels)
    check_same_length(matrix, targets.shares, "x", "labels")
    n = matrix.shape[0]
    group, stratum, condition = (
        np.zeros(n, np.int64) if values is None else as_codes(values, n, f"`{name}`")
        for values, name in ((groups, "groups"), (strata, "strata"), (condition_on, "condition_on"))
    )
    group = np.arange(n) if groups is None else group
    known = np.flatnonzero(targets.shares.sum(axis=1) > 0)
    shares, group, stratum, condition = targets.shares[known], group[known], stratum[known], condition[known]
    _check(shares, group, targets.names, "cells" if groups is None else "groups of cells")
    prepare_torch()
    from scmi.estimators.inputs.rows import fit_scale

    from .columns import column_information

    scale = fit_scale(matrix, np.arange(n), common=common_scale, name="x")
    features = _features(matrix, scale, known, generator)

    fold = partition(group, N_FOLDS, generator)
    overall = _frequencies(shares, condition, smoothing=False)
    log_p, tested, kinds = np.empty(shares.shape), np.empty(shares.shape), []
    for i in np.unique(fold):  # a part may be empty, where a group is larger than a part
        log_p[fold == i], tested[fold == i], kind = _held_out(features, shares, group, condition, fold == i, generator)
        kinds.append(kind)
    log_odds = (log_p - overall) / LN2
    pmi = (shares * log_odds).sum(axis=1)
    mi, n_groups = float(pmi.mean()), len(np.unique(group))
    by_group = np.bincount(np.unique(group, return_inverse=True)[1], pmi - mi)
    se = float(np.sqrt((by_group**2).sum() * n_groups / (n_groups - 1))) / len(pmi)
    null, p = np.empty(0), np.nan
    if n_permutations:
        exchangeable = np.unique(np.stack([fold, stratum, condition], axis=1), axis=0, return_inverse=True)[1].ravel()
        null, p = _permuted(log_odds, tested, shares, group, exchangeable, n_permutations, generator)
    local, local_se = local_mean(pmi, neighbourhoods(features.components.astype(np.float64), FEWEST), group)
    entropy = float(-(shares * overall).sum(axis=1).mean() / LN2)
    return LabelResult(
        mi=mi,
        se=se,
        ci=interval(mi, se),
        p=p,
        null=null,
        entropy=entropy,
        share=mi / entropy if entropy > 0 else np.nan,
        mi_ksg=_by_neighbours(log_odds, shares, fold, one_of_each(group, generator)),
        pmi=_spread(pmi, known, n),
        pmi_local=_spread(local, known, n),
        pmi_local_se=_spread(local_se, known, n),
        log_odds=_spread(log_odds, known, n),
        fold=_spread(fold.astype(np.float64), known, n, missing=-1).astype(np.int64),
        table=_table(shares, log_odds, group, targets.names),
        confusion=_confusion(shares, log_odds, targets.names),
        columns=column_information(matrix, scale, known, shares, group, fold, generator),
        kinds=kinds,
        n_cells=len(pmi),
        n_groups=n_groups,
    )


def _check(shares: Values, group: Index, names: list[str], units: str) -> None:
    if len(names) < 2:
        raise ValueError(f"`labels` holds {names or 'none'}: information about a label needs two or more.")
    n_groups = len(np.unique(group))
    if n_groups < FEWEST_GROUPS:
        raise TooFew(f"Only {n_groups} {units} have a label; {FEWEST_GROUPS} or more are needed to predict them.")
    of_label = [len(np.unique(group[shares[:, k] > 0])) for k in range(len(names))]
    rare = [name for name, count in zip(names, of_label, strict=True) if count < FEW_GROUPS]
    if rare:
        warn(
            "rare labels",
            f"{len(rare)} of {len(names)} labels occur in fewer than {FEW_GROUPS} {units} and can hardly be "
            f"learned, such as {rare[0]!r}: the estimate is too low by what they hold. Join them, or leave them out.",
        )


def _features(matrix: Matrix, scale: "Scale", known: Index, rng: np.random.Generator) -> Features:
    """What is known of the labelled cells, blind to the labels: columns, and components learned from all cells."""
    import torch

    from scmi.estimators._fold import encode
    from scmi.estimators.inputs.rows import Rows
    from scmi.estimators.latent.components import principal_components

    rows = Rows(matrix, scale, torch.device("cpu"))
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    layer, _ = principal_components(rows, N_COMPONENTS, rng, generator).layers(N_COMPONENTS)
    fits = 4 * len(known) * rows.n_features <= MAX_BYTES
    columns = rows.batch(known).numpy() if fits else np.empty((len(known), 0), np.float32)
    return Features(encode(layer, rows, known), columns)


def _frequencies(shares: Values, condition: Index, *, smoothing: bool, of: Index | None = None) -> Values:
    """Log probability of each label for each cell, given its condition; from some of the cells."""
    some = np.arange(len(shares)) if of is None else of
    prior = shares[some].mean(axis=0)
    if smoothing:
        prior = (shares[some].sum(axis=0) + PRIOR_CELLS) / (len(some) + PRIOR_CELLS * shares.shape[1])
    n_conditions = int(condition.max()) + 1
    counts = np.zeros((n_conditions, shares.shape[1]))
    np.add.at(counts, condition[some], shares[some])
    weight = CONDITION_CELLS if smoothing and n_conditions > 1 else 0.0
    if n_conditions == 1:
        frequency = prior[None]
    else:
        total = counts.sum(axis=1, keepdims=True) + weight
        frequency = np.divide(counts + weight * prior, total, out=np.tile(prior, (n_conditions, 1)), where=total > 0)
    with np.errstate(divide="ignore"):
        log_frequency: Values = np.log(frequency)
    # Labels that a condition never has: what is likelier than never can't be said, so these count by their prior.
    log_prior = np.log(np.where(prior > 0, prior, 1.0))
    return np.where(np.isfinite(log_frequency), log_frequency, log_prior)[condition]


def _held_out(
    features: Features,
    shares: Values,
    group: Index,
    condition: Index,
    out: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[Values, Values, str]:
    """Log probabilities of the labels of cells that are left out, also for the test, and the kind of model."""
    training = ~out
    reference = _frequencies(shares, condition, smoothing=True, of=np.flatnonzero(training))
    model = fit_classes(features.take(training), shares[training], reference[training], group[training], rng)
    return *model.log_probabilities(features.take(out), reference[out]), model.kind


def _permuted(
    log_odds: Values,
    log_p: Values,
    shares: Values,
    group: Index,
    exchangeable: Index,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[Bits, float]:
    """What permuted labels give in bits, one cell of each group; and the p-value, of the log probabilities."""
    chosen = one_of_each(group, rng)
    permutations = permutations_within(np.unique(exchangeable[chosen], return_inverse=True)[1], n_permutations, rng)
    truth, every = shares[chosen], np.vstack([np.arange(len(chosen)), permutations])
    one_each = bool((truth.max(axis=1) == 1).all())
    label, cells = truth.argmax(axis=1), np.arange(len(chosen))

    def means(of: Values) -> Bits:
        of = of[chosen]
        if one_each:
            return np.array([of[cells, label[order]].mean() for order in every])
        return np.array([(of * truth[order]).sum() / len(cells) for order in every])

    tested = means(log_p)
    return means(log_odds)[1:], p_value(float(tested[0]), tested[1:])


def _by_neighbours(log_odds: Values, shares: Values, fold: Index, chosen: Index) -> float:
    """KSG between the log odds, as few coordinates, and the labels, in each part by itself; one cell of each group.

    Those of a group are alike on both sides, and would find each other.
    """
    from scmi.estimators.neighbours.ksg import KSG

    ksg, bits = KSG(3, "euclidean"), 0.0
    log_odds, shares, fold = log_odds[chosen], shares[chosen], fold[chosen]
    for i in np.unique(fold):
        odds = log_odds[fold == i]
        centred = odds - odds.mean(axis=0)
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        kept = size > 1e-6 * max(size[0], 1e-12)
        latent = (left * size)[:, kept][:, :N_LATENT]
        if latent.shape[1] and len(odds) > ksg.k:
            bits += float(ksg.pointwise(latent, shares[fold == i]).mean()) * len(odds) / len(fold)
    return bits


def _table(shares: Values, log_odds: Values, group: Index, names: list[str]) -> pd.DataFrame:
    n = shares.sum(axis=0)
    told = (shares * log_odds).sum(axis=0)
    number = np.unique(group, return_inverse=True)[1]
    by_group = np.zeros((number.max() + 1, len(names)))
    np.add.at(by_group, number, shares * (log_odds - told / n))
    return pd.DataFrame(
        {
            "label": names,
            "n": n,
            "p": n / len(shares),
            "pmi": told / n,
            "se": np.sqrt((by_group**2).sum(axis=0)) / n,
            "mi": told / len(shares),
            "n_groups": [len(np.unique(group[shares[:, k] > 0])) for k in range(len(names))],
        }
    )


def _confusion(shares: Values, log_odds: Values, names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(shares.T @ log_odds / shares.sum(axis=0)[:, None], index=names, columns=names)


def _spread(values: Values, rows: Index, n: int, missing: float = np.nan) -> Values:
    """Values of some cells among those of all."""
    spread = np.full((n, *values.shape[1:]), missing)
    spread[rows] = values
    return spread
