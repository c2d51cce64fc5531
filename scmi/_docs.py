"""Sentences that several docstrings share, each written once, and the decorator that fills them in."""

import re
from collections.abc import Callable
from textwrap import indent
from typing import Any, TypeVar

__all__ = ["FRAGMENTS", "with_shared_docs"]

Documented = TypeVar("Documented", bound=Callable[..., Any])

# Entries of a section such as "Parameters", in the numpy style: the name line, and the text below it. The key is the
# name, with an ending where two things have the same name.
FRAGMENTS = {
    # How an estimate is made
    "model": """\
model
    How the estimate is made: an :class:`scmi.LMI` with the parameters wanted, such as
    ``sm.LMI(k=5, n_permutations=0)``; None takes the defaults. Its own ``rng`` and ``progress`` are not used: the
    tool's are.""",
    "n_latent": """\
n_latent
    Latent dimensions of each variable; None lets the training half of the samples choose.""",
    "k": """\
k
    Which neighbour sets the distance in KSG.""",
    "objective": """\
objective
    What shapes the networks' latent spaces: ``"cross"``, each reconstructs the other variable (the paper's default);
    ``"infonce"``, ``"mine"`` or ``"smile"``, a contrastive bound between them; ``"cross+infonce"``, both. Only the
    contrastive ones see dependence that leaves the mean of y given x where it is.""",
    "lam": """\
lam
    Weight of the objective.""",
    "alpha": """\
alpha
    Weight of self-reconstruction.""",
    "preset": """\
preset
    ``"default"``, or ``"paper"`` for the published architecture and training; or a
    :class:`~scmi.estimators.Settings`.""",
    "n_splits": """\
n_splits
    How many times the barcodes are split in halves, of which each is estimated by the models of the other. Numbers,
    pMI and p are of the mean over the splits. None: five where there are fewer than 2,000 barcodes, since one split by
    itself is a matter of chance there, and one elsewhere, or where groups are too large for even halves. At most 7.""",
    "n_pairings": """\
n_pairings
    Random pairings that tools estimate where a barcode has several cells; rows of plain arrays are paired as they
    are.""",
    "n_permutations": """\
n_permutations
    Permutations of the partners for the p-value, of at most 700 pairs per fold; 0 for no test.""",
    "null": """\
null
    What the p-value compares with. ``"fixed"``: other partners for the held-out pairs, the models as they are; exact,
    and a part of the time of the estimate. ``"retrain"``: the whole estimate, training included, on permuted partners
    (within ``strata``; one sample of each group); exact too, at the time of ``n_permutations`` estimates, of which 99
    will do. Ask for it to see what the procedure makes of data without dependence.""",
    "n_retrain": """\
n_retrain
    Further estimates of the same pairs, with other splits and seeds; their standard deviation becomes
    ``se_parts["retraining"]`` and a part of ``se``. Each takes the time of the first one. Five tell it to a third, ten
    to a quarter. 0, the default, leaves it out; with fewer than a thousand pairs it matters.""",
    "rng": """\
rng
    Seed or generator. The same seed on the same device gives the same numbers.""",
    "device": """\
device
    ``"auto"`` (cuda, then mps, then cpu) or a torch device name.""",
    "n_jobs": """\
n_jobs
    How many folds train at once; -1 for all. Threads of this process, unless a :func:`joblib.parallel_config` context
    says otherwise (a Dask cluster, say). The numbers don't depend on it.""",
    "progress": """\
progress
    Show a progress bar; by default in terminals and notebooks only.""",
    # What a tool works on, and what it writes
    "pair_key": """\
pair_key
    What pairs cells: the name of an ``.obs`` column, a pair of names ``(key_a, key_b)``, or the name of an ``.obsm``
    matrix of cells x clones; None pairs cells of the same name, for modalities measured in the same cells. See
    :func:`scmi.pp.pair_clones`.""",
    "pair_key_within": """\
pair_key
    What holds the barcodes: an ``.obs`` column or an ``.obsm`` matrix; see :func:`scmi.pp.pair_clones`.""",
    "na_values": """\
na_values
    Further labels that mean "no barcode", one or several; NaN, None, pd.NA, -1 and the texts "", "NA", "N/A", "<NA>",
    "nan", "None", "null" and "unassigned", in whatever case and where such are joined ("NA_NA"), always do. 0 is an
    ordinary barcode unless named here. For ``.obs`` columns only.""",
    "groupby": """\
groupby
    ``.obs`` column that tells the two populations apart, if both are in ``adata_a``.""",
    "groups": """\
groups
    Its two values, first population first.""",
    "strata": """\
strata
    ``.obs`` column (batch, well, library) of the first population. The test permutes partners within each stratum
    only, so that what a stratum tells about both sides does not count as significant.""",
    "weights": """\
weights
    What counts once. ``"barcodes"``: each barcode, which asks what a clone's place on one side tells of its place on
    the other; where its cells have several labels, each by its share. ``"couples"``: each couple of cells, which asks
    it of two cells that share a barcode, drawn among all such couples; a clone of 10 x 10 cells then counts 100 times
    one of 1 x 1, and a few large ones may be all that is seen.""",
    "layer": """\
layer
    Layer to use instead of ``.X``.""",
    "use_rep": """\
use_rep
    ``.obsm`` entry to use instead of ``.X``. Genes are scaled to unit variance each; the columns of a representation
    keep their relative size, by which those of ``X_pca`` tell signal from noise.""",
    "mask_var": """\
mask_var
    Genes to use: boolean ``.var`` column or array, or None for all; by default ``.var["highly_variable"]`` where it is
    annotated.""",
    "mask_obs": """\
mask_obs
    Cells to use: boolean ``.obs`` column or array. Where early and late cells are in one object, the early ones are
    ``mask_obs=adata.obs["day"] == "2"``.""",
    "key_added": """\
key_added
    Prefix of everything that is written.""",
    "key_added_uns": """\
key_added
    Where in ``.uns`` the result goes.""",
    "copy": """\
copy
    Return a changed copy of each object instead of changing it.""",
    # What is read back
    "adata_with_lmi": """\
adata
    An object that :func:`scmi.tl.lmi` has written to.""",
    "key": """\
key
    ``key_added`` of the stored result.""",
    "params": """\
params
    The settings that gave this result.""",
    # Arrays
    "x_y": """\
x, y
    Samples x features; row i of both is one joint sample.""",
    "groups_of_samples": """\
groups
    Label of each sample; samples with the same label never part across a split.""",
    "strata_of_samples": """\
strata
    Label of each sample (batch, well, library). The test permutes partners within each stratum only, so that what a
    stratum tells about both sides does not count as significant.""",
    "metric": """\
metric
    Distance within x and within y: ``"chebyshev"``, or ``"euclidean"`` as in the default latent spaces. The joint
    distance is the larger of the two.""",
    "folds": """\
folds
    The held-out pairs of each fold.""",
    # Plots
    "ax": """\
ax
    Axes to draw on; by default new ones.""",
    "cmap": """\
cmap
    Colour map.""",
    "color": """\
color
    Colour of the dots.""",
    # Data
    "n_samples": """\
n_samples
    Joint samples.""",
    "n_features": """\
n_features
    Columns of x and of y.""",
    "n_informative": """\
n_informative
    Correlated pairs, which share ``bits`` in equal parts.""",
    "bits": """\
bits
    Mutual information between x and y.""",
    "path": """\
path
    Folder that has, or will have, the files: those that are there, also if put there by hand, are used without any
    download. By default a folder of its own in the one that the environment variable ``SCMI_DATA_DIR`` names, or in the
    user's cache.""",
}
# All that :class:`scmi.LMI` is made with.
FRAGMENTS["configuration"] = "\n".join(
    FRAGMENTS[name]
    for name in (
        *("n_latent", "k", "objective", "lam", "alpha", "preset"),
        *("n_splits", "n_pairings", "n_permutations", "null", "n_retrain"),
        *("rng", "device", "n_jobs", "progress"),
    )
)

_PLACE = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)


def with_shared_docs(documented: Documented) -> Documented:
    """Put the shared entry in place of every line of the docstring that is only its key in braces.

    For functions and classes. Lines below such a line, indented further, go on where the shared text ends.

    Parameters
    ----------
    documented
        What to document; it is changed, and returned.

    Raises
    ------
    KeyError
        If there is no entry of that name: when the module is imported, then.

    Examples
    --------
    >>> import inspect
    >>> from scmi._docs import with_shared_docs
    >>> @with_shared_docs
    ... def draw(n, rng=0):
    ...     '''Draw numbers.
    ...
    ...     {rng}
    ...         The first numbers don't depend on ``n``.
    ...     '''
    >>> print(inspect.getdoc(draw))
    Draw numbers.
    <BLANKLINE>
    rng
        Seed or generator. The same seed on the same device gives the same numbers.
        The first numbers don't depend on ``n``.
    """
    if documented.__doc__ is not None:
        documented.__doc__ = _PLACE.sub(_entry, documented.__doc__)
    return documented


def _entry(place: re.Match[str]) -> str:
    margin, name = place.groups()
    if name not in FRAGMENTS:
        raise KeyError(f"No shared entry is called {name!r}; there are {sorted(FRAGMENTS)}.")
    return indent(FRAGMENTS[name], margin)
