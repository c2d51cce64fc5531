"""MINE and InfoNCE on raw arrays: the variational peers that the paper compares LMI with."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from scmi._docs import with_shared_docs
from scmi._progress import Tick, progress_bar
from scmi.estimators._jobs import run_folds
from scmi.estimators.inputs.checks import as_codes, as_generator, as_plain, check_jobs, check_same_length
from scmi.estimators.inputs.feature_names import check_aligned
from scmi.estimators.inputs.matrices import as_matrix
from scmi.estimators.inputs.pairing import check_enough, rowwise, split
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.estimators.result import MIResult
from scmi.estimators.settings import Settings
from scmi.typing import Bits, Index, Matrix, MatrixLike, Rng

if TYPE_CHECKING:  # torch is imported when a critic is first trained
    from scmi.estimators.latent.descend import History

    from .critics import Kind

__all__ = ["CRITIC", "infonce", "mine"]

# A.4.3 of Gowri et al. (2024) takes the defaults of the benchmark by Czyż et al. (2023); these are theirs.
CRITIC = Settings(
    hidden=(16, 8),
    dropout=False,
    learning_rate=0.1,
    batch_size=256,
    max_steps=10_000,
    check_every=250,
    patience=500,
)


@with_shared_docs
def mine(
    x: MatrixLike,
    y: MatrixLike,
    *,
    groups: ArrayLike | None = None,
    settings: Settings = CRITIC,
    rng: Rng = 0,
    device: str = "auto",
    n_jobs: int = -1,
    progress: bool | None = None,
) -> MIResult:
    r"""Mutual information in bits by MINE: the Donsker-Varadhan bound of a trained critic.

    A critic T, a small network on the raw features, is trained to maximise

    .. math:: \mathbb{E}_{p(x, y)} T - \log \mathbb{E}_{p(x) p(y)} e^T ,

    with the gradient's denominator averaged over the past batches, which takes most of its bias away. As in
    :func:`scmi.lmi`, each half of the samples is estimated by the critic that was trained on the other half, with a
    validation part of the training half to stop by; so the estimate comes from samples that no critic has seen. It is
    exactly 0 where no critic beats knowing nothing, and it can be negative by chance.

    Parameters
    ----------
    x, y
        Samples x features, dense or sparse; row i of both is one joint sample. Columns are standardised and clipped.
    {groups_of_samples}
    settings
        Architecture and training, by default those of the paper. The learning rate and how often the validation bound
        is looked at are what matters most: see the examples.
    {rng}
    {device}
    {n_jobs}
    {progress}

    Returns
    -------
    The estimate: ``mi`` in bits, and ``pmi`` per sample, :math:`T(x, y) - \log \mathbb{E}_{p(x) p(y)} e^T` in bits.

    Raises
    ------
    ValueError
        If rows don't match, values are missing or infinite, or there are too few samples to split.

    References
    ----------
    Belghazi et al. (2018), Eq. 12; A.4.3 of :cite:t:`Gowri2024`.

    Examples
    --------
    The estimators side by side on the same arrays:

    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 2))
    >>> y = x + rng.normal(size=(2000, 2))  # 1 bit
    >>> for estimate in (sm.lmi, sm.mine, sm.infonce):
    ...     print(estimate.__name__, estimate(x, y).mi > 0.5)
    lmi True
    mine True
    infonce True
    >>> bool(sm.ksg(x, y).mean() > 0.5)
    True

    A critic that trains more slowly and is looked at more often:

    >>> from dataclasses import replace
    >>> from scmi.estimators import CRITIC
    >>> slow = replace(CRITIC, learning_rate=1e-2, check_every=10, patience=200)
    >>> sm.mine(x, y, settings=slow).mi > 0.5
    True
    """
    return _estimate("mine", x, y, groups, settings, rng, device, n_jobs, progress)


def infonce(
    x: MatrixLike,
    y: MatrixLike,
    *,
    groups: ArrayLike | None = None,
    settings: Settings = CRITIC,
    rng: Rng = 0,
    device: str = "auto",
    n_jobs: int = -1,
    progress: bool | None = None,
) -> MIResult:
    r"""Mutual information in bits by InfoNCE: how well a trained critic finds each x its y among others.

    A critic T, a small network on the raw features, is trained to maximise

    .. math:: \mathbb{E} \left[ T(x_i, y_i) - \log \frac{1}{B} \sum_{j=1}^{B} e^{T(x_i, y_j)} \right]

    over batches of B pairs. It can't exceed log2 B bits: 8 in training at the default batch of 256, and at most 10 in
    the estimate, for which held-out pairs are contrasted in batches of up to 1,024. Splits, validation and the reading
    of the result are as in :func:`scmi.mine`.

    Parameters
    ----------
    x, y, groups, settings, rng, device, n_jobs, progress
        See :func:`scmi.mine`.

    Returns
    -------
    The estimate: ``mi`` in bits, and ``pmi`` per sample, the term in brackets in bits.

    Raises
    ------
    ValueError
        If rows don't match, values are missing or infinite, or there are too few samples to split.

    References
    ----------
    van den Oord et al. (2018); A.4.3 of :cite:t:`Gowri2024`.

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 2))
    >>> sm.infonce(x, x + rng.normal(size=(2000, 2))).mi > 0.5
    True
    """
    return _estimate("infonce", x, y, groups, settings, rng, device, n_jobs, progress)


def _estimate(
    kind: "Kind",
    x: MatrixLike,
    y: MatrixLike,
    groups: ArrayLike | None,
    settings: Settings,
    rng: Rng,
    device: str,
    n_jobs: int,
    progress: bool | None,
) -> MIResult:
    if not isinstance(settings, Settings):
        raise TypeError(f"`settings` must be a Settings, got {type(settings).__name__}.")
    check_jobs(n_jobs)
    check_aligned(x=x, y=y, groups=groups)
    matrix_x, matrix_y = as_matrix(x, "x"), as_matrix(y, "y")
    n = check_same_length(matrix_x, matrix_y)
    pairing = rowwise(n, None if groups is None else as_codes(groups, n, "groups", sort=True))
    check_enough(pairing, 1)
    split_rng, *fold_rngs = as_generator(rng).spawn(3)
    first, second = split(pairing.groups, 0.5, split_rng)
    folds = [(first, second), (second, first)][: settings.n_folds]
    jobs = [
        partial(
            _fit_fold,
            kind=kind,
            x=matrix_x,
            y=matrix_y,
            groups=pairing.groups,
            training=training,
            held_out=held_out,
            settings=settings,
            rng=fold_rng,
            device=device,
        )
        for (training, held_out), fold_rng in zip(folds, fold_rngs, strict=False)
    ]
    pmi, fold_of_pair = np.full(n, np.nan), np.full(n, -1)
    history = []
    with progress_bar(settings.n_folds, progress, {"mine": "MINE", "infonce": "InfoNCE"}[kind]) as tick:
        for fold, (values, course) in enumerate(run_folds(jobs, n_jobs, tick)):
            held_out = folds[fold][1]
            pmi[held_out] = values
            fold_of_pair[held_out] = fold
            history.append(course)
    return MIResult(
        mi=float(pmi[fold_of_pair >= 0].mean()),
        pmi=pmi,
        fold=fold_of_pair,
        history=tuple(history),
        params={"estimator": kind, **{name: as_plain(name, value) for name, value in asdict(settings).items()}},
    )


def _fit_fold(
    *,
    kind: "Kind",
    x: Matrix,
    y: Matrix,
    groups: Index,
    training: Index,
    held_out: Index,
    settings: Settings,
    rng: np.random.Generator,
    device: str,
    threads: int,
    progress: Tick,
) -> tuple[Bits, "History"]:
    prepare_torch(threads)
    from scmi.estimators.inputs.rows import Rows, fit_scale
    from scmi.estimators.latent.devices import resolve_device

    from .critics import BOUNDS, evaluate, fit_critic

    target = resolve_device(device)
    rows_x, rows_y = (Rows(side, fit_scale(side, training), target) for side in (x, y))
    to_fit, to_validate = _validation_split(groups[training], settings.validation, rng)
    bound = BOUNDS[kind]()
    critic, history = fit_critic(
        rows_x,
        rows_y,
        training[to_fit],
        training[to_validate],
        bound=bound,
        settings=settings,
        rng=rng,
        device=target,
        progress=progress,
    )
    pmi = np.zeros(len(held_out))
    if history.best_step > 0:  # the critic of step 0 says 0 everywhere
        order = rng.permutation(len(held_out))
        pmi[order] = evaluate(critic, rows_x, rows_y, held_out[order], bound)
    return pmi, history


def _validation_split(groups: Index, share: float, rng: np.random.Generator) -> tuple[Index, Index]:
    if len(np.unique(groups)) > 1:
        parts = split(groups, share, rng)
        if min(map(len, parts)) > 1:
            return parts
    # A pair can only be contrasted with others, so each part needs two; here whole groups don't give them.
    return split(np.arange(len(groups)), max(share, 2 / len(groups)), rng)
