"""A simulated lineage-tracing experiment whose information is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scmi._docs import with_shared_docs
from scmi.datasets._lineage_truth import (
    BREAKPOINT,
    FATE_DIMENSIONS,
    anchor_correlation,
    day2_information,
    lineage_truth,
)
from scmi.estimators.inputs.checks import as_generator, check_counts, check_number
from scmi.typing import Rng

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

BARCODED_SHARE = 0.7
CLONE_SIZE_SIGMA = 0.7


class Sample(NamedTuple):
    """A sequenced sample: its day and well, how many cells a clone leaves in it on average, and how mature they are."""

    day: int
    well: str
    cells_per_clone: float
    maturity: tuple[float, float]


# Few cells on day 4, so that with a bounded number of cells many barcodes are seen on both days 2 and 6.
SAMPLES = (
    Sample(2, "0", 1.65, (0.0, 1.0)),
    Sample(4, "0", 0.3, (1.0, 2.0)),
    Sample(6, "1", 1.25, (2.0, 3.0)),
    Sample(6, "2", 1.25, (2.0, 3.0)),
)

FATES = ("neutrophil", "monocyte", "basophil")
FATE_ANGLES = np.deg2rad([90.0, 210.0, 330.0])
UNDECIDED_RADIUS = 0.5

PROGRAM_SIZES = {"maturity": 60, "fate": 200, "cycle": 80}
PROGRAM_STRENGTHS = {"maturity": 1.0, "fate": 1.5, "cycle": 0.6}
"""Median size of a program's loading: change of a gene's log-mean per unit of state."""
DISPERSION = 0.3
LIBRARY_SIGMA = 0.35
CELLS_PER_BLOCK = 512


class Clones(NamedTuple):
    """The clones: maturity on day 2 (0 to 1), the vector the cells of a clone have in common, and fate on day 2."""

    maturity: Array
    anchor: Array
    day2_fate: Array


class Cells(NamedTuple):
    """The sequenced cells: indices into ``SAMPLES`` and into the clones, and each cell's state."""

    sample: Indices
    clone: Indices
    maturity: Array
    fate: Array


def correlate(anchor: Array, correlation: Array, rng: np.random.Generator) -> Array:
    """Standard normal vectors with this correlation per coordinate to the rows of ``anchor``."""
    along = correlation[:, None]
    return along * anchor + np.sqrt(1 - along**2) * rng.standard_normal(anchor.shape)


def draw_clones(n_clones: int, rng: np.random.Generator, *, memory: bool) -> Clones:
    """The hidden variables of ``n_clones`` independent clones."""
    maturity = rng.uniform(size=n_clones)
    anchor = rng.standard_normal((n_clones, FATE_DIMENSIONS))
    return Clones(maturity, anchor, correlate(anchor, anchor_correlation(maturity, 2, memory=memory), rng))


def draw_fates(clones: Clones, clone_of_cell: Indices, day: int, rng: np.random.Generator, *, memory: bool) -> Array:
    """Fate coordinates of one cell for each entry of ``clone_of_cell``.

    On day 2 sisters have just divided and share their fate; later each cell departs from its clone on its own.
    """
    if day == 2:
        return clones.day2_fate[clone_of_cell]
    correlation = anchor_correlation(clones.maturity[clone_of_cell], day, memory=memory)
    return correlate(clones.anchor[clone_of_cell], correlation, rng)


def draw_clone_of_cell(sizes: Array, cells_per_clone: float, rng: np.random.Generator) -> Indices:
    """The clone of every cell of one sample, in random order: Poisson counts about each clone's relative size."""
    counts = rng.poisson(cells_per_clone * sizes)
    return rng.permutation(np.repeat(np.arange(len(sizes)), counts))


def draw_cells(clones: Clones, rng: np.random.Generator, *, memory: bool) -> Cells:
    """The cells of all samples, sample after sample."""
    # Log-normal of mean 1. Independent of maturity and fate, so that sampling by size leaves the truth as it is.
    sizes = rng.lognormal(-(CLONE_SIZE_SIGMA**2) / 2, CLONE_SIZE_SIGMA, size=len(clones.maturity))
    parts = []
    for index, sample in enumerate(SAMPLES):
        clone = draw_clone_of_cell(sizes, sample.cells_per_clone, rng)
        maturity = clones.maturity[clone] if sample.day == 2 else rng.uniform(*sample.maturity, size=len(clone))
        fate = draw_fates(clones, clone, sample.day, rng, memory=memory)
        parts.append(Cells(np.full(len(clone), index), clone, maturity, fate))
    return Cells(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def name_fates(cells: Cells) -> npt.NDArray[np.str_]:
    """The nearest of the three fates, or "progenitor" before the breakpoint and near the origin."""
    directions = np.column_stack([np.cos(FATE_ANGLES), np.sin(FATE_ANGLES)])
    nearest = np.array(FATES)[np.argmax(cells.fate @ directions.T, axis=1)]
    undecided = (cells.maturity < BREAKPOINT) | (np.linalg.norm(cells.fate, axis=1) < UNDECIDED_RADIUS)
    return np.where(undecided, "progenitor", nearest)


def embed_spring(cells: Cells, rng: np.random.Generator) -> Array:
    """Coordinates that look like a SPRING plot: progenitors in the middle, three arms along which cells mature."""
    angle = np.arctan2(cells.fate[:, 1], cells.fate[:, 0])
    offset = (angle[:, None] - FATE_ANGLES + np.pi) % (2 * np.pi) - np.pi
    arm = np.argmin(np.abs(offset), axis=1)
    rows = np.arange(len(arm))

    progress = cells.maturity / 3
    commitment = np.tanh(np.linalg.norm(cells.fate, axis=1))
    radius = progress * (0.3 + 0.7 * commitment) * np.array([1.25, 1.0, 0.85])[arm]
    # An arm is a sector narrowed, the more so the further out; it bends a little, as arms do.
    narrowing = 1 - 0.85 * np.tanh(2.5 * progress)
    direction = FATE_ANGLES[arm] + offset[rows, arm] * narrowing + np.array([0.5, -0.35, 0.4])[arm] * progress**2
    # Progenitors are one crowd, whatever their fate will be.
    spread = 0.035 + 0.09 * np.exp(-4 * progress)
    points = radius[:, None] * np.column_stack([np.cos(direction), np.sin(direction)])
    return np.asarray(points + spread[:, None] * rng.standard_normal(points.shape))


def state_features(cells: Cells, rng: np.random.Generator) -> Array:
    """What a gene's log-mean is linear in: maturity, fate (louder as a cell matures), and the cell cycle's phase."""
    phase = rng.uniform(0, 2 * np.pi, size=len(cells.maturity))
    loudness = 0.6 + 0.15 * cells.maturity
    return np.column_stack([cells.maturity - 1.5, loudness[:, None] * cells.fate, np.cos(phase), np.sin(phase)])


def draw_genes(n_genes: int, rng: np.random.Generator) -> tuple[Array, Array, npt.NDArray[np.str_]]:
    """Base log-means, loadings (features x genes, as in :func:`state_features`) and the program of every gene."""
    named = np.repeat(list(PROGRAM_SIZES), list(PROGRAM_SIZES.values()))
    program = rng.permutation(np.concatenate([named, np.full(n_genes - len(named), "none")]))
    # Most genes are rare and a few make up much of the library: a normal with a tail to the right.
    base = rng.normal(0, 1, size=n_genes) + rng.exponential(0.6, size=n_genes)

    strength = np.array([PROGRAM_STRENGTHS.get(name, 0.0) for name in program]) * rng.lognormal(0, 0.4, size=n_genes)
    sign = rng.choice([-1.0, 1.0], size=n_genes)
    toward = rng.choice(FATE_ANGLES, size=n_genes) + rng.normal(0, 0.3, size=n_genes)
    peak = rng.uniform(0, 2 * np.pi, size=n_genes)
    pattern = np.select(
        [program == "maturity", program == "fate", program == "cycle"],
        [
            np.stack([sign, *np.zeros((4, n_genes))]),
            np.stack([np.zeros(n_genes), np.cos(toward), np.sin(toward), *np.zeros((2, n_genes))]),
            np.stack([*np.zeros((3, n_genes)), np.cos(peak), np.sin(peak)]),
        ],
        default=0.0,
    )
    return base, pattern * strength, program


def draw_counts(
    features: Array, base: Array, loadings: Array, depth: float, rng: np.random.Generator
) -> sparse.csr_matrix[np.float32]:
    """Gamma-Poisson counts, cells x genes, made a block of cells at a time."""
    library = depth * rng.lognormal(-(LIBRARY_SIGMA**2) / 2, LIBRARY_SIGMA, size=len(features))

    def blocks() -> Iterator[sparse.csr_matrix[np.float32]]:
        for start in range(0, len(features), CELLS_PER_BLOCK):
            block = slice(start, start + CELLS_PER_BLOCK)
            mean = np.exp(features[block] @ loadings + base)
            mean *= (library[block] / mean.sum(axis=1))[:, None]
            mean *= DISPERSION * rng.standard_gamma(1 / DISPERSION, size=mean.shape, dtype=np.float32)
            yield sparse.csr_matrix(rng.poisson(mean).astype(np.float32))

    return sparse.csr_matrix(sparse.vstack(list(blocks()), format="csr"))


def name_barcodes(clone: Indices, n_clones: int, rng: np.random.Generator) -> list[str | None]:
    """The barcodes as detected: missing, at random, in the rest of the cells."""
    width = max(4, len(str(n_clones - 1)))
    detected = rng.uniform(size=len(clone)) < BARCODED_SHARE
    return [f"clone_{index:0{width}d}" if seen else None for index, seen in zip(clone, detected, strict=True)]


def describe_cells(cells: Cells, n_clones: int, rng: np.random.Generator) -> pd.DataFrame:
    """``obs``: what an experimenter would know of each cell, and the truth about it."""
    days = np.array([str(sample.day) for sample in SAMPLES])
    wells = np.array([sample.well for sample in SAMPLES])
    true_pmi = np.where(days[cells.sample] == "2", day2_information(np.minimum(cells.maturity, 1.0)), np.nan)
    return pd.DataFrame(
        {
            "day": pd.Categorical(days[cells.sample], categories=["2", "4", "6"]),
            "well": pd.Categorical(wells[cells.sample], categories=["0", "1", "2"]),
            "clone": pd.Categorical(name_barcodes(cells.clone, n_clones, rng)),
            "pseudotime": cells.maturity,
            "fate": pd.Categorical(name_fates(cells), categories=["progenitor", *FATES]),
            "true_pmi": true_pmi,
        },
        index=[f"cell_{index:05d}" for index in range(len(cells.clone))],
    )


def describe_genes(program: npt.NDArray[np.str_]) -> pd.DataFrame:
    """``var``: the program a gene belongs to, and whether it carries information about fate."""
    return pd.DataFrame(
        {
            "program": pd.Categorical(program, categories=["fate", "maturity", "cycle", "none"]),
            "informative": program == "fate",
        },
        index=[f"gene_{index:04d}" for index in range(len(program))],
    )


def check(n_clones: int, n_genes: int, depth: float) -> None:
    """Say which argument can't be met, and by what it can."""
    check_counts(n_clones=n_clones, n_genes=n_genes)
    check_number("depth", depth)
    if n_clones < 10:
        raise ValueError(f"`n_clones` is {n_clones}; give at least 10, of which a few will be seen on two days.")
    if n_genes < 400:
        raise ValueError(
            f"`n_genes` is {n_genes}; give at least 400: {sum(PROGRAM_SIZES.values())} belong to the programs."
        )
    if not 0 < depth < np.inf:
        raise ValueError(f"`depth` is {depth}; give the mean counts per cell, a positive number such as 3500.")


@with_shared_docs
def lineage(
    n_clones: int = 3150,
    *,
    memory: bool = True,
    n_genes: int = 2000,
    depth: float = 3500.0,
    rng: Rng = 0,
) -> AnnData:
    r"""A simulated lineage-tracing experiment with a known truth, after the haematopoiesis of Weinreb et al. (2020).

    Barcoded progenitors divide; some sisters are sequenced on day 2 and day 4, the rest on day 6 from two wells. Every
    cell has a maturity and two standard normal fate coordinates, and shows them in the counts of a few hundred genes.

    A clone has a day-2 maturity :math:`\tau \sim U(0, 1)`. Up to the breakpoint :math:`\tau_0 = 0.35` its fate on
    day 2 says nothing about its fate on day 6; from there on, it says linearly more, up to :math:`i_{max} = 2.3` bits:

    .. math:: i(\tau) = i_{max} \max(0, \tau - \tau_0) / (1 - \tau_0), \qquad \rho(\tau)^2 = 1 - 2^{-i(\tau)}

    with :math:`\rho` the correlation of each fate coordinate between the days. Where this comes from is up to
    ``memory``:

    - With memory, a clone has a hidden bias :math:`h`, on which each day-6 cell depends with correlation 0.9 (day 4:
      0.8) and the clone on day 2 with :math:`\rho(\tau) / 0.9`. Sisters on day 6 share more than day 2 can tell about
      either.
    - Without, the state on day 2 is all a clone hands on. Day-6 cells depend on it with :math:`\rho(\tau)`, day-4
      cells with :math:`\sqrt{\rho(\tau)}`, and sisters can't share more than day 2 tells (the data processing
      inequality).

    Cells of a clone sequenced on day 2 have just divided: they share maturity and fate and differ only in their counts.
    On days 4 and 6 maturity is drawn for each cell by itself and says nothing about clone or fate. Clones differ in
    size (log-normal), whatever their fate. A barcode is detected in 70 % of the cells.

    Parameters
    ----------
    n_clones
        Clones in the experiment; about 4.45 cells of each are sequenced, and about half are barcoded on days 2 and 6
        both.
    memory
        Whether clones have a fate bias that their state on day 2 doesn't show.
    n_genes
        Genes, 340 of them in the programs for fate, maturity and the cell cycle.
    depth
        Mean total counts of a cell.
    {rng}
        States, barcodes, genes and counts draw from children of their own, so that another ``depth`` measures the same
        cells.

    Returns
    -------
    AnnData of counts (CSR, float32) with the fields

    `adata.obs["day"]`, `adata.obs["well"]` : categories of strings
        "2", "4", "6"; and "1", "2" for the wells of day 6, "0" before.
    `adata.obs["clone"]` : category of strings
        The barcode, NaN where it was missed.
    `adata.obs["pseudotime"]` : float
        The true maturity: 0 to 1 on day 2 (where it is the clone's), 1 to 2 on day 4, 2 to 3 on day 6.
    `adata.obs["fate"]` : category of strings
        "neutrophil", "monocyte" or "basophil", the nearest to the fate coordinates; "progenitor" before the breakpoint
        and where the coordinates are nearer than 0.5 to the origin.
    `adata.obs["true_pmi"]` : float
        :math:`i(\tau)`, bits: the expected pMI between a day-2 cell of this maturity and a day-6 cell of its clone.
        NaN on days 4 and 6.
    `adata.obsm["X_spring"]`, `adata.obsm["true_fate"]` : float arrays
        A picture in the manner of SPRING, and the fate coordinates.
    `adata.var["program"]`, `adata.var["informative"]` : category of strings, bool
        "fate", "maturity", "cycle" or "none"; and whether it is "fate".
    `adata.uns["truth"]` : dict of floats
        Bits. `day2_day6`, between the states of a day-2 and a day-6 cell of a clone, the mean of :math:`i(\tau)`;
        `sisters`, between two day-6 cells of a clone; `day2_day6_max`, :math:`i_{max}`; and `breakpoint`,
        :math:`\tau_0`. They are about states: an estimate from counts falls short of them by what counting loses.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(200, memory=False)
    >>> round(adata.uns["truth"]["day2_day6"], 4), round(adata.uns["truth"]["sisters"], 4)
    (0.7475, 0.1932)
    """
    check(n_clones, n_genes, depth)
    for_state, for_obs, for_genes, for_counts = as_generator(rng).spawn(4)

    cells = draw_cells(draw_clones(n_clones, for_state, memory=memory), for_state, memory=memory)
    base, loadings, program = draw_genes(n_genes, for_genes)
    counts = draw_counts(state_features(cells, for_counts), base, loadings, depth, for_counts)

    return AnnData(
        X=counts,
        obs=describe_cells(cells, n_clones, for_obs),
        var=describe_genes(program),
        obsm={"X_spring": embed_spring(cells, for_obs), "true_fate": cells.fate},
        uns={"truth": lineage_truth(memory=memory)._asdict()},
    )
