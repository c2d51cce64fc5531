"""What `test_soak` does over and over, every part of the package at small size, and a print of what it can change."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anndata as ad
import h5py
import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import sparse

import scmi as sm
from scmi.datasets import _proteins
from scmi.estimators import CRITIC, Settings

LINEAR = Settings(hidden=(8,), max_steps=5, patience=5)
NETWORK = replace(LINEAR, closed_form=False)
PROTEOME = "/UP000005640_9606/per-protein.h5"
TABLE = "/interactions"


@dataclass
class Step:
    """Something that is done in a round.

    ``run`` is given what ``objects`` has made, new AnnData each time. It is done in ``share`` of the rounds, and in
    ``struck`` of these one of the ``faults`` comes first.
    """

    name: str
    run: Callable[..., Any]
    objects: Callable[[], list[ad.AnnData]] = list
    faults: tuple[str, ...] = ("interrupt",)
    share: float = 1.0
    struck: float = 0.5


def model(settings=LINEAR, **params):
    return sm.LMI(**{"preset": settings, "n_pairings": 1, "n_permutations": 9} | params)


def steps(folder, disk, server, monkeypatch):
    """All steps; files that are only read are in ``folder``, those that are written in ``disk``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = x + rng.normal(size=(60, 5))
    groups = np.repeat(np.arange(30), 2)
    cells = sm.datasets.lineage(60, n_genes=400, rng=0)
    sm.pp.recipe_lmi(cells, n_top_genes=15)
    cells = cells[:, cells.var["highly_variable"]].copy()
    days = [cells[cells.obs["day"] == day].copy() for day in ("2", "6")]
    estimated = cells.copy()
    sm.tl.lmi(estimated, pair_key="clone", groupby="day", groups=("2", "6"), model=model())
    sm.tl.gene_information(estimated)
    trend(estimated)
    sm.tl.lmi_matrix(estimated, pair_key="clone", groupby="day", model=model(NETWORK))
    markov(estimated)
    fitted = model().fit(x, y)
    stored, late = folder / "estimated.h5ad", folder / "late.h5ad"
    estimated.write_h5ad(stored)
    days[1].write_h5ad(late)
    publish(folder, server, monkeypatch, rng)

    def copied(*objects):
        return [adata.copy() for adata in objects]

    return [
        Step("sm.lmi", lambda: sm.lmi(x, y, groups=groups, preset=LINEAR, n_permutations=9)),
        Step("sm.infonce", lambda: sm.infonce(x, y, settings=replace(CRITIC, max_steps=10, check_every=5)), share=0.5),
        Step("sm.ksg", lambda: sm.ksg(x, y)),
        Step("LMI.fit, then its methods", lambda: applied(model(NETWORK).fit(x, y), x, y)),
        Step("LMI.save, LMI.load", lambda: again(fitted, disk / "model", x, y), faults=("interrupt", "full disk")),
        Step("LMI.load", lambda: applied(sm.LMI.load(disk / "model"), x, y), faults=("interrupt", "damaged model")),
        Step(
            "sm.lmi in processes",
            lambda: in_processes(x, y, groups),
            faults=("killed worker", "killed worker", "interrupt"),
            share=0.08,
            struck=1.0,
        ),
        Step("pp.pair_clones", lambda *two: sm.pp.pair_clones(*two, "clone"), partial(copied, *days)),
        Step(
            "pp.recipe_lmi",
            lambda raw: sm.pp.recipe_lmi(raw, n_top_genes=10),
            lambda: [counts(days[0])],
            share=0.5,
        ),
        Step(
            "tl.lmi, two objects",
            lambda *two: sm.tl.lmi(*two, pair_key="clone", model=model(NETWORK, n_pairings=2)),
            partial(copied, *days),
        ),
        Step(
            "tl.lmi, one object",
            lambda one: sm.tl.lmi(one, pair_key="clone", groupby="day", groups=("2", "6"), model=model(NETWORK, k=2)),
            partial(copied, estimated),
        ),
        Step(
            "tl.lmi, one of a file",
            lambda *two: sm.tl.lmi(*two, pair_key="clone", model=model(NETWORK)),
            lambda: [days[0].copy(), ad.read_h5ad(late, backed="r")],
        ),
        Step("tl.gene_information", sm.tl.gene_information, partial(copied, estimated)),
        Step("tl.pmi_trend", trend, partial(copied, estimated)),
        Step("tl.markov_test", markov, partial(copied, cells), share=0.5),
        Step(
            "tl.lmi_matrix",
            lambda one: sm.tl.lmi_matrix(one, pair_key="clone", groupby="day", model=model(NETWORK)),
            partial(copied, cells),
            share=0.5,
        ),
        Step("h5ad and get.lmi", lambda: sm.get.lmi(ad.read_h5ad(stored))),
        Step(
            "datasets",
            lambda: downloaded(disk / "cache"),
            faults=("interrupt", "full disk", "cut connection", "damaged cache"),
        ),
        *(
            Step(f"pl.{name}", partial(drawn, plot), partial(copied, estimated), share=0.3)
            for name, plot in (
                ("pmi_embedding", lambda one: sm.pl.pmi_embedding(one, basis="spring")),
                ("pmi_trend", sm.pl.pmi_trend),
                ("gene_information", sm.pl.gene_information),
                ("markov_test", sm.pl.markov_test),
                ("latent", sm.pl.latent),
                ("estimates", lambda one: sm.pl.estimates(sm.get.lmi_matrix(one))),
            )
        ),
    ]


def trend(adata):
    early = adata.obs["day"] == "2"
    sm.tl.pmi_trend(adata, "pseudotime", mask_obs=early, window=15, n_resamples=5)


def markov(adata):
    return sm.tl.markov_test(
        adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well", model=model(NETWORK)
    )


def counts(adata):
    return ad.AnnData(np.rint(np.abs(adata.X) * 3), obs=adata.obs.copy(), var=adata.var[[]].copy())


def applied(fitted, x, y):
    """What a fitted model answers."""
    return [
        fitted.score_pairs(x[:8], y[:8]),
        fitted.score_pairs(x[:8], y[:8], top_k=2),
        fitted.pmi(x[:8], y[:8]),
        fitted.predict_y(x[:8]),
        *fitted.transform(x[:8], y[:8]),
    ]


def again(fitted, path, x, y):
    fitted.save(path)
    return applied(sm.LMI.load(path), x, y)


def in_processes(x, y, groups):
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        return sm.lmi(x, y, groups=groups, preset=LINEAR, n_permutations=9, n_jobs=2)


def publish(folder, server, monkeypatch, rng):
    """Files of the published formats, on the server."""
    names = [f"P{number:05d}" for number in range(40)]
    with h5py.File(folder / "proteins.h5", "w") as file:
        for name in names:
            file[name] = rng.normal(size=200).astype(np.float16)
    server.files[PROTEOME] = (folder / "proteins.h5").read_bytes()
    header = "source\ttarget\tis_directed\tis_stimulation\tis_inhibition\n"
    lines = [f"{a}\t{b}\t1\t1\t0\n" for a in names for b in names if a < b]
    server.files[TABLE] = (header + "".join(lines)).encode()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_proteins, "UNIPROT", server.url)
    monkeypatch.setattr(_proteins, "OMNIPATH", server.url + TABLE.removeprefix("/"))


def downloaded(cache):
    return [
        sm.datasets.uniprot_embeddings(path=cache, progress=False),
        sm.datasets.omnipath_pairs(cache, progress=False),
    ]


def drawn(plot, adata):
    """The pixels."""
    figure = np.ravel(plot(adata))[0].figure
    figure.set_dpi(40)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close("all")
    return pixels


def print_of(value):
    """A hash of all that can be told of a value, to the last digit."""
    found = hashlib.sha256()
    _add(value, found)
    return found.hexdigest()


def _add(value, found):
    found.update(type(value).__name__.encode())
    match value:
        case ad.AnnData():
            _add([None if value.isbacked else value.X, value.obs, value.var], found)
            _add([dict(part) for part in (value.layers, value.obsm, value.varm, value.uns)], found)
        case pd.DataFrame():
            _add([value.index, list(value.columns), *(value[column] for column in value)], found)
        case pd.Series() | pd.Index():
            _add([str(value.dtype), value.to_numpy()], found)
        case np.ndarray() if value.dtype == object:
            _add([value.shape, *value.ravel().tolist()], found)
        case np.ndarray() | np.generic():
            found.update(f"{value.dtype.str} {np.shape(value)}".encode() + value.tobytes())
        case _ if sparse.issparse(value):
            _add([value.shape, value.data, value.indices, value.indptr], found)
        case Mapping():
            for name in sorted(value, key=str):
                _add([str(name), value[name]], found)
        case list() | tuple():
            for part in value:
                _add(part, found)
        case _ if dataclasses.is_dataclass(value):
            _add({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, found)
        case _:
            found.update(repr(value).encode())


def files_of(*folders):
    """Every file in some folders, and a hash of what is in it."""
    return {
        os.path.join(at, name): hashlib.sha256(open(os.path.join(at, name), "rb").read()).hexdigest()
        for folder in folders
        for at, _, names in os.walk(folder)
        for name in names
    }
