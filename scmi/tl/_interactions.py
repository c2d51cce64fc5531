"""What embeddings know about who interacts: mutual information between partners, and ROC on proteins held out."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._progress import progress_bar
from scmi._warnings import one_of_a_kind, warn
from scmi._words import Printed, bits_in_words, in_bits
from scmi.estimators.inputs.checks import as_plain, check_counts, check_number, seeded
from scmi.estimators.inputs.pairing import check_enough, rowwise
from scmi.estimators.lmi import LMI
from scmi.estimators.result import LMIResult
from scmi.pp.embeddings import Embeddings, read_embeddings
from scmi.tl._model import as_model
from scmi.typing import Bits, Index, Rng

__all__ = ["Interactions", "interactions"]

NEGATIVES = ("random", "role-matched")
# False-positive rates at which the curves of all splits are averaged.
GRID = np.linspace(0, 1, 101)
INTERVAL = (0.025, 0.975)

Vectors = NDArray[np.float32]


@with_shared_docs
@dataclass(frozen=True, kw_only=True, repr=False)
class Interactions(Printed):
    """Whether embeddings tell who interacts with whom.

    Parameters
    ----------
    mi
        Mutual information between partners, in bits.
    null
        The same with the second partners shuffled among the pairs, trained anew each time, in bits.
    estimate
        The estimate behind ``mi``.
    splits
        One row per split and kind of negatives: ``split``, ``negatives`` (``"random"`` or ``"role-matched"``), ``auc``,
        ``n_pairs`` (annotated pairs of held-out proteins), ``n_negatives``, ``n_training`` (pairs), and ``mi``, the
        mean log density ratio of those annotated pairs in bits.
    roc
        Mean curve over the splits, per kind of negatives: ``negatives``, ``fpr``, ``tpr``, and ``low`` and ``high``,
        between which 95 % of the splits lie.
    {params}

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> embeddings = {f"P{i}": vector for i, vector in enumerate(rng.normal(size=(120, 4)))}
    >>> pairs = pd.DataFrame({"first": [f"P{i}" for i in range(60)], "second": [f"P{i}" for i in range(60, 120)]})
    >>> found = sm.tl.interactions(embeddings, pairs, n_repeats=2, held_out=0.3, n_shuffles=1)
    >>> found.auc.columns.tolist()
    ['mean', 'sd', 'low', 'high']
    """

    mi: float
    null: Bits
    estimate: LMIResult
    splits: pd.DataFrame
    roc: pd.DataFrame
    params: dict[str, Any]

    @property
    def auc(self) -> pd.DataFrame:
        """For each kind of negatives the ``mean`` AUC, ``sd`` over splits, and ``low`` and ``high``, where 95 % lie."""
        by_kind = self.splits.groupby("negatives")["auc"]
        low, high = (by_kind.quantile(q) for q in INTERVAL)
        return pd.DataFrame({"mean": by_kind.mean(), "sd": by_kind.std(), "low": low, "high": high})

    @property
    def _least(self) -> str:
        """Of an estimate without an upper end."""
        return "at least " if self.estimate.ci[1] == np.inf else ""

    def __str__(self) -> str:
        auc = ", ".join(f"AUC {mean:.3f} ({kind} negatives)" for kind, mean in self.auc["mean"].items())
        null = f"{self.null.min():.3f} to {self.null.max():.3f}"
        return f"{self._least}{self.mi:.3f} bits between partners ({null} where shuffled), {auc}"

    def _rows(self) -> dict[str, str]:
        rows = {
            "between partners": f"{self._least}{in_bits(self.mi)} bits",
            "where shuffled": f"{bits_in_words((self.null.min(), self.null.max()))} bits",
        }
        return rows | {f"AUC, {kind} negatives": f"{mean:.2f}" for kind, mean in self.auc["mean"].items()}


class _Annotation(NamedTuple):
    """Annotated pairs as rows of the embeddings."""

    vectors: Vectors
    first: Index
    second: Index

    def take(self, chosen: NDArray[np.bool_]) -> "_Annotation":
        return self._replace(first=self.first[chosen], second=self.second[chosen])


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def interactions(
    embeddings: Embeddings,
    pairs: pd.DataFrame,
    *,
    n_repeats: int = 20,
    held_out: float = 0.1,
    n_shuffles: int = 5,
    model: LMI | None = None,
    rng: Rng = 0,
    progress: bool | None = None,
) -> Interactions:
    r"""How much embeddings of proteins tell about their interactions, in bits and as ROC on proteins held out.

    Annotated pairs are samples of a joint distribution of two embeddings. Their mutual information is estimated as in
    :func:`scmi.lmi`, with all pairs of a first partner kept on the same side of every split.

    Then, in each of ``n_repeats`` splits, some proteins are held out. A model is trained on the annotated pairs of the
    others, and all ordered pairs of held-out proteins are ranked by their log density ratio,
    log2 p(x, y) / (p(x) p(y)): annotated ones should come first. No held-out protein is on either side of any pair that
    trains the model, stops its training or serves as reference.

    Annotated pairs are told from two kinds of unannotated ones. *Random* negatives are any two held-out proteins, as in
    the paper: much of that task is telling a ligand from a receptor, which needs no knowledge of who binds whom.
    *Role-matched* negatives are a protein that is annotated as a first partner and one that is annotated as a second
    partner; on these, a shuffled annotation gives an AUC of .5. Pairs annotated in the other order, and a protein with
    itself, are neither.

    Parameters
    ----------
    embeddings
        What :func:`scmi.pp.read_embeddings` takes: an HDF5 file of names to vectors, a dict, or a DataFrame indexed by
        name.
    pairs
        Two columns of names, first and second partner, a row per annotated pair: ligand and receptor, say. Repeated
        rows count once, and a protein paired with itself is left out.
    n_repeats
        How often proteins are held out anew.
    held_out
        Share of the annotated proteins that each split holds out.
    n_shuffles
        How many shuffled annotations make the null; each trains anew.
    {model}
    {rng}
    {progress}

    Returns
    -------
    Mutual information, null and ROC as :class:`Interactions`.

    Raises
    ------
    ValueError
        If ``pairs`` has not two columns, too few pairs have embeddings, or a split holds out no annotated pair or no
        negative. All before any training.
    TypeError
        If ``pairs`` is not a DataFrame.

    Warns
    -----
    UserWarning
        If proteins of some pairs have no embedding; these pairs are left out.

    Notes
    -----
    ``mi`` is that of the distribution of annotated pairs, in which proteins with many partners recur. That the partners
    of one protein resemble each other counts towards it, also if no other protein would tell. What carries over to
    proteins never seen is in ``splits``.

    References
    ----------
    Section 4.1, Fig. 5 and Algorithm 2 of :cite:t:`Gowri2024`. The published code keeps held-out proteins in the
    reference and in early stopping; here they are in neither.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> keys = rng.normal(size=(200, 4))
    >>> ligands = {f"L{i}": key for i, key in enumerate(keys)}
    >>> receptors = {f"R{i}": key + 0.5 * rng.normal(size=4) for i, key in enumerate(keys)}
    >>> pairs = pd.DataFrame({"ligand": list(ligands), "receptor": list(receptors)})
    >>> found = sm.tl.interactions(ligands | receptors, pairs, n_repeats=2, held_out=0.3, n_shuffles=1)
    >>> found.mi > 1, bool(found.auc.loc["role-matched", "mean"] > 0.8)
    (True, True)
    """
    model = as_model(model)
    check_counts(n_repeats=n_repeats, n_shuffles=n_shuffles)
    check_number("held_out", held_out)
    if not 0 < held_out < 1:
        raise ValueError(f"`held_out` is a share of the proteins, between 0 and 1, got {held_out}.")
    annotation = _annotation(read_embeddings(embeddings), pairs)
    generator, seed = seeded(rng)
    estimate_rng, shuffle_rng, split_rng = generator.spawn(3)
    splits = [_hold_out(annotation, held_out, split_rng, number) for number in range(n_repeats)]
    for used in (annotation, *(_apart_from(annotation, held) for held in splits)):
        check_enough(rowwise(len(used.first), used.first), model.k)
    # Of these only the estimate or the model is used: testing them would take longer than training them.
    untested = clone(model).set_params(n_permutations=0, n_retrain=0)

    with one_of_a_kind(), progress_bar(1 + n_shuffles + n_repeats, progress, "interactions") as tick:
        estimate = _fit(annotation, estimate_rng, model).result_
        tick(1, estimate.mi)
        null = []
        for shuffling in shuffle_rng.spawn(n_shuffles):
            null.append(_fit(_shuffled(annotation, shuffling), shuffling, untested).result_.mi)
            tick(1 + len(null), estimate.mi)
        tables, curves = [], []
        for number, (held, fitting) in enumerate(zip(splits, split_rng.spawn(n_repeats), strict=True)):
            training = _apart_from(annotation, held)
            fitted = _fit(training, fitting, untested)
            vectors = annotation.vectors[held]
            scored = _scored(annotation, held, fitted.score_pairs(vectors, vectors))
            table, curve = _judge(*scored)
            tables.append(table.assign(split=number, n_training=len(training.first)))
            curves.append(curve)
            tick(1 + n_shuffles + number + 1, estimate.mi)

    params = {**estimate.params, "rng": seed}
    asked = {"n_repeats": n_repeats, "held_out": held_out, "n_shuffles": n_shuffles}
    params |= {name: as_plain(name, value) for name, value in asked.items()}
    result = Interactions(
        mi=estimate.mi,
        null=np.asarray(null),
        estimate=estimate,
        splits=pd.concat(tables, ignore_index=True),
        roc=_mean_curves(pd.concat(curves)),
        params=params,
    )
    logger.info("%s", result)
    return result


def _annotation(embeddings: pd.DataFrame, pairs: pd.DataFrame) -> _Annotation:
    if not isinstance(pairs, pd.DataFrame):
        raise TypeError(f"`pairs` must be a DataFrame of two columns of names, got {type(pairs).__name__}.")
    if pairs.shape[1] != 2:
        raise ValueError(
            f"`pairs` has the columns {list(map(str, pairs.columns))}; expected two, of the first and the second "
            'partner, such as `pairs[["ligand", "receptor"]]`.'
        )
    known = pairs.dropna().astype(str).drop_duplicates()
    known = known[known.iloc[:, 0] != known.iloc[:, 1]]
    if known.empty:
        raise ValueError(
            f"`pairs` has {len(pairs)} rows, but none with two different names; expected the first and the second "
            "partner of each annotated pair."
        )
    rows = np.column_stack([embeddings.index.get_indexer(pd.Index(known.iloc[:, column])) for column in (0, 1)])
    found: NDArray[np.bool_] = np.all(rows >= 0, axis=1)
    if not found.all():
        absent = pd.unique(known.to_numpy()[rows < 0])
        text = (
            f"{len(absent)} of the paired proteins have no embedding (the first {absent[0]!r}), so "
            f"{(~found).sum()} of {len(found)} pairs"
        )
        if not found.any():
            raise ValueError(f"{text} can't be used: none is left. Check that both use the same kind of names.")
        warn("embeddings", f"{text} are left out.")
    used, rows = np.unique(rows[found], return_inverse=True)
    return _Annotation(embeddings.to_numpy()[used], rows[:, 0], rows[:, 1])


def _shuffled(annotation: _Annotation, rng: np.random.Generator) -> _Annotation:
    """The second partners in another order; every protein keeps its number of partners, but for repeated pairs."""
    shuffled = np.column_stack([annotation.first, rng.permutation(annotation.second)])
    shuffled = np.unique(shuffled, axis=0)
    return annotation._replace(first=shuffled[:, 0], second=shuffled[:, 1])


def _hold_out(annotation: _Annotation, share: float, rng: np.random.Generator, number: int) -> NDArray[np.bool_]:
    n = len(annotation.vectors)
    held = np.zeros(n, dtype=bool)
    held[rng.permutation(n)[: round(share * n)]] = True
    n_pairs = int((held[annotation.first] & held[annotation.second]).sum())
    candidates = _candidates(annotation, held)
    if not n_pairs or not candidates["role-matched"].any():
        raise ValueError(
            f"Split {number} holds out {held.sum()} of {n} proteins, with {n_pairs} annotated and "
            f"{candidates['role-matched'].sum()} role-matched unannotated pairs among them; at least one of each is "
            "needed. Raise `held_out`."
        )
    return held


def _apart_from(annotation: _Annotation, held: NDArray[np.bool_]) -> _Annotation:
    """The pairs with no held-out protein on either side."""
    return annotation.take(~held[annotation.first] & ~held[annotation.second])


def _fit(annotation: _Annotation, rng: np.random.Generator, model: LMI) -> LMI:
    fitted: LMI = clone(model).set_params(rng=rng, progress=False)
    return fitted.fit(annotation.vectors[annotation.first], annotation.vectors[annotation.second], annotation.first)


def _annotated(annotation: _Annotation, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which ordered pairs of held-out proteins are annotated."""
    place = np.cumsum(held) - 1
    within = annotation.take(held[annotation.first] & held[annotation.second])
    annotated = np.zeros((held.sum(), held.sum()), dtype=bool)
    annotated[place[within.first], place[within.second]] = True
    return annotated


def _candidates(annotation: _Annotation, held: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Which ordered pairs of held-out proteins are negatives of each kind."""
    annotated = _annotated(annotation, held)
    unknown = ~(annotated | annotated.T | np.eye(len(annotated), dtype=bool))
    proteins = np.flatnonzero(held)
    roles = np.outer(np.isin(proteins, annotation.first), np.isin(proteins, annotation.second))
    return dict(zip(NEGATIVES, (unknown, unknown & roles), strict=True))


def _scored(annotation: _Annotation, held: NDArray[np.bool_], scores: Bits) -> tuple[Bits, dict[str, Bits]]:
    """Scores of the annotated pairs, and of the negatives of each kind."""
    negatives = {kind: scores[mask] for kind, mask in _candidates(annotation, held).items()}
    return scores[_annotated(annotation, held)], negatives


def _judge(positives: Bits, negatives: dict[str, Bits]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """AUC and ROC of one split."""
    from sklearn.metrics import roc_auc_score, roc_curve

    rows, curves = [], []
    for kind, values in negatives.items():
        scores = np.concatenate([positives, values])
        truth = np.repeat([1, 0], [len(positives), len(values)])
        rows.append(
            {
                "negatives": kind,
                "auc": roc_auc_score(truth, scores),
                "n_pairs": len(positives),
                "n_negatives": len(values),
                "mi": positives.mean(),
            }
        )
        fpr, tpr, _ = roc_curve(truth, scores)
        at_grid = np.interp(GRID, fpr, tpr)
        at_grid[0] = 0.0
        curves.append(pd.DataFrame({"negatives": kind, "fpr": GRID, "tpr": at_grid}))
    return pd.DataFrame(rows), pd.concat(curves)


def _mean_curves(curves: pd.DataFrame) -> pd.DataFrame:
    by_rate = curves.groupby(["negatives", "fpr"])["tpr"]
    low, high = (by_rate.quantile(q) for q in INTERVAL)
    return pd.DataFrame({"tpr": by_rate.mean(), "low": low, "high": high}).reset_index()
