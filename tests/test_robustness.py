"""What every public function says to bad input, and what a run leaves behind.

The table has cases that the tests beside each function don't have. Nothing in it trains.
"""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import anndata as ad
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

import scmi as sm
from scmi.estimators.settings import Settings

FAST = Settings(hidden=(8,), max_steps=2, patience=2)
QUICK = settings(max_examples=15, deadline=None, derandomize=True)
X, Y = np.random.default_rng(0).normal(size=(2, 60, 3))
MODEL = sm.LMI(preset=FAST, n_splits=1)
GROUPS = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6"), "model": MODEL}
PAIRED = {name: GROUPS[name] for name in ("pair_key", "groupby", "groups")}
MARKOV = {"pair_key": "clone", "time_key": "day", "times": ("2", "6"), "replicate_key": "well", "model": MODEL}
VECTORS = {f"p{i}": row for i, row in enumerate(X)}
FATES = {"time_key": "day", "early": "2", "late": "6"}
PAIRS = pd.DataFrame({"a": [f"p{i}" for i in range(30)], "b": [f"p{i}" for i in range(30, 60)]})


def cells(uns=None, **obs):
    """30 clones on two days, with what looks like an estimate."""
    rng = np.random.default_rng(0)
    columns = {
        "day": ["2"] * 30 + ["6"] * 30,
        "clone": [f"c{i}" for i in range(30)] * 2,
        "well": ["1", "2"] * 30,
        "pt": rng.random(60),
        "lmi_pmi": rng.normal(size=60),
        "lmi_pmi_sd": 0.1,
        "lmi_pmi_local": rng.normal(size=60),
        "lmi_pmi_local_se": 0.1,
        "lmi_n": 1,
    }
    adata = ad.AnnData(
        rng.normal(size=(60, 5)).astype(np.float32),
        obs=pd.DataFrame(columns | obs, index=[f"cell {i}" for i in range(60)]),
        obsm={"X_map": rng.normal(size=(60, 2)), "X_lmi": rng.normal(size=(60, 2)), "X_lost": np.full((60, 2), np.nan)},
    )
    adata.uns.update(uns or {})
    return adata


def with_nan():
    adata = cells()
    adata.X[3, 2] = np.nan
    return adata


def with_counts(largest=5):
    adata = cells()
    adata.X = np.random.default_rng(0).integers(0, largest + 1, size=adata.shape).astype(np.float32)
    return adata


def without_counts():
    return with_counts(0)


def days(rows=slice(None)):
    adata = cells()
    return tuple(adata[adata.obs["day"] == day][rows].copy() for day in ("2", "6"))


def with_matrix(side):
    """One of two days, with a matrix of barcodes in which -1 stands for a missing one."""
    adata = days()[side]
    adata.obsm["clones"] = np.where(np.arange(300).reshape(30, 10) % 7, 0, -1)
    return adata


def call(name, *args, **options):
    """The public function of this name with these arguments, when called."""

    def run():
        function = sm
        for part in name.split("."):
            function = getattr(function, part)
        return function(*(arg() if inspect.isfunction(arg) else arg for arg in args), **options)

    run.name = name
    return run


def fit(x=X, y=Y, **options):
    return lambda: sm.LMI(**{"preset": FAST, **options}).fit(x, y)


def rows(name, *cases):
    """(arguments, options, error, message) of one function, for the table."""
    for args, options, error, message in cases:
        yield pytest.param(call(name, *args, **options), error, message, id=f"{name}: {message[:40]}")


RNG = {"rng": "seed"}, TypeError, "`rng` must be an integer from 0, a numpy Generator or None, got 'seed'"
NEGATIVE = {"rng": -1}, ValueError, "`rng` must be an integer from 0, .* got -1"
NO_LMI = TypeError, "`model` must be an LMI such as .*, got str"
RAGGED = [[1.0, 2.0], [3.0]] * 30
NO_ADATA = TypeError, "`adata` must be an AnnData, got DataFrame"
FRAME = pd.DataFrame({"day": [1]})
NAMES = [f"cell {i}" for i in range(60)]
MASKED = np.ma.masked_array(X, mask=np.arange(180).reshape(60, 3) == 7)
# What no function of two arrays can take for what it isn't.
NO_PAIRS = (
    ((X + 1j, Y), {}, TypeError, "x holds values of type complex128; expected real numbers"),
    ((MASKED, Y), {}, ValueError, "x is a masked array with 1 masked values; fill them or drop their rows"),
    (
        (pd.DataFrame(X, NAMES), pd.DataFrame(Y, NAMES[::-1])),
        {},
        ValueError,
        "`x` and `y` have the same row names in another order",
    ),
    ((polars.DataFrame(X).lazy(), Y), {}, TypeError, "x is a LazyFrame, .* has to be collected first"),
    ((sparse.coo_array(X[:50, 0]), Y), {}, ValueError, "x has 50 rows, but y has 60"),
    ((X, object()), {}, TypeError, "y is a object, not samples x features"),
)


def relabelled(side, **obs):
    """One of two days, some columns written anew."""
    adata = days()[side]
    for name, values in obs.items():
        adata.obs[name] = values
    return adata


TABLE = [
    *(case for name in ("ksg", "mine", "infonce") for case in rows(name, *NO_PAIRS)),
    *rows("lmi", *((args, {"preset": FAST}, *told) for args, _, *told in NO_PAIRS)),
    *(
        pytest.param(lambda args=args: MODEL.fit(*args), *told, id=f"LMI: {told[1][:40]}")
        for args, _, *told in NO_PAIRS
    ),
    *rows(
        "ksg",
        ((None, Y), {}, TypeError, "x is a NoneType"),
        ((RAGGED, Y), {}, ValueError, "x is not an array: its rows differ in length"),
        ((cells, Y), {}, TypeError, r"x is an object of type AnnData; pass its matrix, such as `adata.X`"),
        ((X, np.zeros(60, "M8[s]")), {}, TypeError, "y holds values of type datetime64.* expected real numbers"),
        ((X, Y), {"k": 2.5}, TypeError, "`k` must be an integer, got 2.5"),
        ((X, Y), {"metric": "l1"}, ValueError, r"metric='l1' is not known; choose one of \['chebyshev', 'euclidean'\]"),
    ),
    *rows(
        "lmi",
        ((X, RAGGED), {"preset": FAST}, ValueError, "y is not an array: its rows differ in length"),
        ((cells, Y), {"preset": FAST}, TypeError, "x is an object of type AnnData; pass its matrix"),
        ((X, Y), {"latent": 8}, TypeError, "LMI has no parameter 'latent'. Did you mean 'n_latent'"),
        ((X, Y), {"k": "3", "preset": FAST}, TypeError, "`k` must be an integer, got '3'"),
        ((X, Y), {"n_latent": 1.5, "preset": FAST}, TypeError, "`n_latent` must be an integer, got 1.5"),
        ((X, Y), {"n_permutations": 9.5, "preset": FAST}, TypeError, "`n_permutations` must be an integer, got 9.5"),
        ((X, Y), {"lam": -1, "preset": FAST}, ValueError, "`lam` is -1; give the weight of a loss, 0 or more"),
        ((X, Y), {"alpha": np.nan, "preset": FAST}, ValueError, "`alpha` is nan; give the weight of a loss"),
        ((X, Y), {"alpha": "1", "preset": FAST}, TypeError, "`alpha` must be a number, got '1'"),
        ((X, Y), {"preset": {"hidden": 8}}, ValueError, "preset={'hidden': 8} is not known; .* or pass a Settings"),
        (
            (X, Y),
            {"device": "gpu", "preset": FAST},
            ValueError,
            "device='gpu' is not a torch device; use 'auto', 'cpu'",
        ),
        ((X, Y), {"n_jobs": 0, "preset": FAST}, ValueError, "`n_jobs` is 0"),
        ((X, Y), *RNG),
        ((X, Y), *NEGATIVE),
    ),
    *(
        case
        for name in ("mine", "infonce")
        for case in rows(
            name,
            ((X[:-1], Y), {}, ValueError, "x has 59 rows, but y has 60"),
            ((X[:1], Y[:1]), {}, ValueError, "Only 1 pairs to estimate from; at least 20"),
            ((X, np.where(Y > 2, np.inf, Y)), {}, ValueError, "y has .* NaN or infinite values, the first in row"),
            ((X, Y), {"groups": [None] * 60}, ValueError, "groups misses 60 of 60 labels, the first at pair 0. Drop"),
            ((X, Y), {"settings": {"hidden": 8}}, TypeError, "`settings` must be a Settings, got dict"),
            ((X, Y), {"device": "gpu"}, ValueError, "device='gpu' is not a torch device"),
            ((X, Y), *RNG),
        )
    ),
    pytest.param(fit(RAGGED), ValueError, "x is not an array: its rows differ in length", id="LMI: ragged"),
    pytest.param(fit(lam=-1), ValueError, "`lam` is -1; give the weight", id="LMI: lam"),
    pytest.param(fit(n_latent="8"), TypeError, "`n_latent` must be an integer, got '8'", id="LMI: n_latent"),
    *rows(
        "tl.lmi",
        ((None,), GROUPS, TypeError, "`adata_a` must be an AnnData, got NoneType"),
        ((with_nan,), GROUPS, ValueError, r"has 1 NaN .* row 'cell 3', column '2'"),
        (
            (cells,),
            GROUPS | {"groups": (2, 6)},
            ValueError,
            r"names 2, but `.obs\['day'\]` has .* It holds text: pass '2'\.$",
        ),
        ((cells,), GROUPS | {"key_added": ""}, ValueError, "`key_added` must be a name without '/', got ''"),
        ((cells,), GROUPS | {"key_added": "a/b"}, ValueError, "`key_added` must be a name without '/', got 'a/b'"),
        ((cells,), GROUPS | {"key_added": None}, TypeError, "`key_added` must be a string, got None"),
        (
            (cells,),
            GROUPS | {"groupby": ["day"]},
            TypeError,
            r"`groupby` must name one column of `.obs`, got \['day'\]",
        ),
        (
            (cells,),
            GROUPS | {"groups": 3},
            ValueError,
            r"`groups` must name two different groups of `.obs\['day'\]`, first and second, got 3",
        ),
        ((cells,), GROUPS | {"strata": ["a"]}, TypeError, r"`strata` must name one column of `.obs`, got \['a'\]"),
        ((cells,), GROUPS | {"model": "default"}, *NO_LMI),
        ((cells,), GROUPS | {"model": sm.LMI(n_pairings=1.5)}, TypeError, "`n_pairings` must be an integer, got 1.5"),
        ((cells,), GROUPS | {"model": sm.LMI(null=None)}, ValueError, "null=None is not known; choose one of"),
        ((cells,), GROUPS | RNG[0], *RNG[1:]),
        ((lambda: days(slice(1))[0], lambda: days(slice(1))[1]), {"pair_key": "clone"}, ValueError, "Only 1 pairs"),
        # A cell is not its own clone mate.
        (
            (cells, cells),
            {"pair_key": "clone", "model": MODEL, "same_cells": "yes"},
            TypeError,
            "`same_cells` must be True, False or None, got 'yes'",
        ),
        (
            (lambda: days()[0], lambda: days()[0]),
            {"pair_key": "clone", "model": MODEL},
            ValueError,
            "hold the same cells: 30 cells share a barcode with themselves",
        ),
        (
            (lambda: relabelled(0, clone="null"), lambda: relabelled(1, clone="null")),
            {"pair_key": "clone", "model": MODEL},
            ValueError,
            r"No barcode is shared: .* has 0 barcodes \(none\)",
        ),
        (
            (lambda: days()[0], lambda: relabelled(1, clone=[f"z{i}" for i in range(30)])),
            {"pair_key": "clone", "model": MODEL},
            ValueError,
            "No barcode is shared: .* Check that both sides write their barcodes alike",
        ),
    ),
    *rows(
        "tl.lmi_matrix",
        ((FRAME,), GROUPS, *NO_ADATA),
        ((lambda: cells()[:0].copy(),), GROUPS, ValueError, "`adata` is empty: 0 cells x 5 genes"),
        ((with_nan,), GROUPS, ValueError, "row 'cell 3', column '2'"),
        # Or "26" would be groups "2" and "6".
        ((cells,), GROUPS | {"groups": "26"}, TypeError, "`groups` must be a list of values, got '26'"),
        ((cells,), GROUPS | {"groups": 3}, TypeError, "`groups` must be a list of values, got 3"),
        ((cells,), GROUPS | {"groupby": ["day"]}, TypeError, "`groupby` must name one column of `.obs`"),
        ((cells,), GROUPS | {"key_added": 3}, TypeError, "`key_added` must be a string, got 3"),
        ((cells,), GROUPS | {"use_rep": "X_pca"}, KeyError, "Did not find `use_rep='X_pca'`"),
        ((cells,), GROUPS | {"model": "default"}, *NO_LMI),
    ),
    *rows(
        "tl.markov_test",
        ((lambda: cells()[:50],), MARKOV, ValueError, r"`adata` is a view.*\.copy\(\)"),
        ((with_nan,), MARKOV, ValueError, "row 'cell 3', column '2'"),
        (
            (cells,),
            MARKOV | {"times": 3},
            ValueError,
            r"`times` must name two different values of `.obs\['day'\]`, got 3",
        ),
        ((cells,), MARKOV | {"wells": 3}, ValueError, "`wells` must name two different wells .* got 3"),
        ((cells,), MARKOV | {"time_key": ["day"]}, TypeError, "`time_key` must name one column of `.obs`"),
        ((cells,), MARKOV | {"key_added": "a/b"}, ValueError, "`key_added` must be a name without '/'"),
        ((cells,), MARKOV | {"model": "default"}, *NO_LMI),
    ),
    *rows(
        "tl.pmi_trend",
        ((FRAME, "pt"), {}, *NO_ADATA),
        ((cells, []), {}, ValueError, r"`pseudotime` must name one or several different columns of `.obs`, got \[\]"),
        ((cells, 3), {}, ValueError, "`pseudotime` must name one or several different columns of `.obs`, got 3"),
        ((cells, ["pt", "pt"]), {}, ValueError, "`pseudotime` must name one or several different columns"),
        ((cells, "pt"), {"min_pseudotime": "a"}, TypeError, "`min_pseudotime` must be a number, got 'a'"),
        ((cells, "pt"), {"confidence_level": "a"}, TypeError, "`confidence_level` must be a number, got 'a'"),
        ((cells, "pt"), {"n_resamples": -1}, ValueError, "`n_resamples` must be at least 1, got -1"),
        ((cells, "pt"), {"key_added": ""}, ValueError, "`key_added` must be a name"),
        ((lambda: cells(lmi_pmi="a"), "pt"), {}, TypeError, r"`.obs\['lmi_pmi'\]` is .*, not numbers. Run `sm.tl.lmi`"),
    ),
    *rows(
        "tl.gene_information",
        ((FRAME,), {}, *NO_ADATA),
        ((lambda: cells({"lmi": 3}),), {}, KeyError, r"Did not find `.uns\['lmi'\]`. Run `sm.tl.lmi` first"),
        ((cells,), {"key_added": 3}, TypeError, "`key_added` must be a string, got 3"),
    ),
    *rows(
        "tl.conditional_information",
        ((FRAME, "a"), {"model": sm.LMI()}, *NO_ADATA),
        ((cells, "day"), {"model": sm.LMI()}, ValueError, "`model` must be the LMI that"),
        ((cells, "day"), {"model": 3}, ValueError, "`model` must be the LMI that"),
        ((cells, "day"), {"model": sm.LMI(), "key_added": "a/b"}, ValueError, "`key_added` must be a name"),
    ),
    *rows(
        "tl.label_information",
        ((FRAME, "day"), {}, *NO_ADATA),
        ((cells, "dy"), {}, KeyError, "Did not find `label_key='dy'` in `.obs` or `.obsm`.*Did you mean 'day'"),
        (
            (cells, "clone_fates"),
            {},
            KeyError,
            "Did not find `label_key='clone_fates'` .* Run `sm.pp.clone_fates` first",
        ),
        ((cells, "X_zz"), {}, KeyError, r"in `.obs` or `.obsm`. There are obs 'day', .* and obsm "),
        ((lambda: cells()[:40], "day"), {}, ValueError, "`adata` is a view"),
        ((lambda: cells()[:30].copy(), "day"), {}, ValueError, "two or more"),
        ((cells, "pt"), {}, TypeError, "`labels` are numbers that are not whole"),
        ((cells, "day"), {"pair_key": "clone"}, ValueError, "`pair_key` pairs cells of two populations"),
        ((cells, cells), {"label_key": "day", "layer": "x"}, ValueError, "`layer` has no meaning for labels on both"),
        ((cells, "X_map"), {}, ValueError, "`labels` as counts must be finite and not negative"),
        ((cells, "day"), {"groups_key": "well"}, ValueError, "2 groups of cells have a label; 20 or more are needed"),
        ((cells, "day"), {"groups_key": "wel"}, KeyError, "Did not find 'wel' in `adata.obs` or `adata.obsm`"),
        ((cells, "day"), {"condition_on": "dy"}, KeyError, "Did not find `condition_on='dy'`"),
        ((cells, "day"), {"strata": "dy"}, KeyError, "Did not find `strata='dy'`"),
        ((lambda: cells(lane=[None] + ["a"] * 59), "day"), {"strata": "lane"}, ValueError, "is missing in 1 labelled"),
        ((cells, "day"), {"use_rep": "X"}, KeyError, "Did not find `use_rep='X'`"),
        ((cells, "day"), {"model": sm.LMI(n_permutations=1.5)}, TypeError, "`n_permutations` must be an integer"),
        ((cells, "day"), {"model": "LMI"}, *NO_LMI),
        ((cells, "day"), {"key_added": "a/b"}, ValueError, "`key_added` must be a name"),
        ((with_nan, "day"), {}, ValueError, "adata.X has 1 NaN or infinite values"),
        ((cells, "day"), *RNG),
        ((cells, "day"), *NEGATIVE),
    ),
    *rows(
        "tl.depth_scaling",
        ((FRAME,), PAIRED, TypeError, "`adata_a` must be an AnnData"),
        ((cells,), PAIRED, ValueError, "must hold counts: whole numbers"),
        ((cells,), {**PAIRED, "counts_layer": "raw"}, KeyError, "Did not find `counts_layer='raw'`"),
        ((cells,), {**PAIRED, "n_depths": 2.5}, TypeError, "`n_depths` must be an integer"),
        ((cells,), {**PAIRED, "thin": "x"}, ValueError, "thin='x' is not known"),
        ((cells,), {**PAIRED, "model": "LMI"}, *NO_LMI),
        ((cells,), {**PAIRED, "key_added": "a/b"}, ValueError, "`key_added` must be a name"),
        ((cells,), {"label_key": "dy"}, ValueError, "must hold counts: whole numbers"),
        ((with_counts,), {"label_key": "dy"}, KeyError, "Did not find `label_key='dy'` in `adata_a.obs`"),
        ((with_counts,), {**PAIRED, "depths": [1, 2, np.nan]}, ValueError, "`depths` must hold three or more"),
        ((with_counts,), {**PAIRED, "depths": [1, 2, 1e9]}, ValueError, "counts can only be thinned"),
        ((with_counts,), {**PAIRED, "pair_key": "cln"}, KeyError, "Did not find 'cln'"),
        ((without_counts,), PAIRED, ValueError, "no cell with a partner has counts"),
    ),
    *rows(
        "tl.interactions",
        ((VECTORS, PAIRS), {"held_out": "a"}, TypeError, "`held_out` must be a number, got 'a'"),
        ((VECTORS, PAIRS), {"n_repeats": 1.5}, TypeError, "`n_repeats` must be an integer, got 1.5"),
        ((VECTORS, PAIRS), {"model": "default"}, *NO_LMI),
        ((VECTORS, PAIRS), {"model": sm.LMI(preset="slow")}, ValueError, "preset='slow' is not known; choose one of"),
        ((VECTORS, PAIRS), *RNG),
    ),
    *rows(
        "get.lmi",
        ((FRAME,), {}, *NO_ADATA),
        ((lambda: cells({"lmi": 3}),), {}, KeyError, "Run `sm.tl.lmi` first"),
        ((lambda: cells({"lmi": {"mi": 1.0}}),), {}, KeyError, "Run `sm.tl.lmi` first"),
    ),
    *rows(
        "get.lmi_matrix",
        ((FRAME,), {}, *NO_ADATA),
        ((lambda: cells({"lmi_matrix": 3}),), {}, KeyError, "Run `sm.tl.lmi_matrix` first"),
        ((lambda: cells({"lmi_matrix": {}}),), {}, KeyError, "Run `sm.tl.lmi_matrix` first"),
    ),
    *(
        case
        for name, key, tool in (
            ("history", "lmi", "lmi"),
            ("gene_information", "lmi_genes", "gene_information"),
            ("markov_test", "markov_test", "markov_test"),
            ("pmi_trend", "lmi_trend", "pmi_trend"),
        )
        for case in rows(
            f"pl.{name}",
            ((FRAME,), {}, *NO_ADATA),
            ((lambda key=key: cells({key: 3}),), {}, KeyError, rf"`.uns\['{key}'\]`. Run `sm.tl.{tool}` first"),
            ((lambda key=key: cells({key: {}}),), {}, KeyError, rf"`.uns\['{key}'\]`. Run `sm.tl.{tool}` first"),
        )
    ),
    *rows(
        "pl.label_information",
        ((FRAME,), {}, *NO_ADATA),
        ((cells,), {}, KeyError, r"Did not find `.uns\['label_mi'\]"),
        ((lambda: cells(uns={"label_mi": {"mi": 1.0}}),), {}, KeyError, "Run `sm.tl.label_information` first"),
    ),
    *rows(
        "pl.depth_scaling",
        ((FRAME,), {}, *NO_ADATA),
        ((cells,), {}, KeyError, r"Did not find `.uns\['depth_scaling'\]`. Run `sm.tl.depth_scaling` first"),
        ((lambda: {"a": cells()},), {}, KeyError, "in 'a'. Run `sm.tl.depth_scaling` first"),
        ((lambda: {},), {}, ValueError, "There is nothing to draw"),
    ),
    *rows(
        "pl.latent",
        ((FRAME,), {}, TypeError, "`adata_a` must be an AnnData, got DataFrame"),
        ((lambda: cells({"lmi": {"pairs": 3, "params": {}}}), FRAME), {}, TypeError, "`adata_b` must be an AnnData"),
        ((lambda: cells({"lmi": 3}),), {}, KeyError, "Did not find the estimate 'lmi' in `adata_a`. Run `sm.tl.lmi`"),
        ((cells,), {"axis": 1.5}, TypeError, "`axis` must be an integer, got 1.5"),
    ),
    *rows(
        "pl.pmi_embedding",
        ((FRAME,), {"basis": "map"}, *NO_ADATA),
        (([],), {"basis": "map"}, ValueError, "`adata` is an empty list; pass at least one object"),
        (([1, 2],), {"basis": "map"}, TypeError, "`adata` must be an AnnData, got int"),
        ((cells,), {"basis": 3}, TypeError, "`basis` must name an embedding or two `.obs` columns, got 3"),
        ((cells,), {"basis": "lost"}, ValueError, "`basis='lost'` has no cell with finite coordinates"),
        ((cells,), {"basis": "map", "mark": 3}, TypeError, "`mark` must be a pseudotime and its value, such as"),
        ((cells,), {"basis": "map", "mark": ("clone", 1)}, TypeError, r"`.obs\['clone'\]` of `mark` is .*; it must be"),
        ((cells,), {"basis": "map", "smooth": 1.5}, TypeError, "`smooth` must be an integer, got 1.5"),
        (
            (lambda: cells(lmi_pmi_local="a"),),
            {"basis": "map"},
            TypeError,
            r"`.obs\['lmi_pmi_local'\]` is .*, not numbers",
        ),
    ),
    *rows(
        "pl.estimates",
        ((None,), {}, TypeError, "`results` must be an AnnData, a dictionary of results or a DataFrame, got NoneType"),
        (([1.0],), {}, TypeError, "`results` must be an AnnData, a dictionary of results or a DataFrame, got list"),
        ((FRAME,), {}, KeyError, r"`results\['0'\]` has no `mi`; pass a result"),
    ),
    *rows(
        "pl.roc",
        (([1, 0], ["a", "b"]), {}, TypeError, "Scores '' must be one number for each of 2 labels"),
        (([1, 0], {"LMI": [np.inf, 0]}), {}, ValueError, "Scores 'LMI' must be one finite number .* 1 NaN or infinite"),
        (([1, 0], {}), {}, ValueError, "`scores` is empty; pass a score for each of the labels"),
        (([], []), {}, ValueError, "`labels` must be one-dimensional and hold both true and false"),
    ),
    *rows(
        "pp.pair_clones",
        ((*days(), "clone"), {"n_pairings": 1.5}, TypeError, "`n_pairings` must be an integer, got 1.5"),
        ((with_matrix(0), with_matrix(1), "clones"), {}, ValueError, r"`adata_a.obsm\['clones'\]` has .* negative"),
        ((*days(), "clone"), *RNG),
        ((*days(), "clone"), *NEGATIVE),
    ),
    *rows(
        "pp.clone_fates",
        ((FRAME, "clone", "well"), FATES, *NO_ADATA),
        ((cells, "clone", "fate"), FATES, KeyError, "Did not find `fate_key='fate'`"),
        ((cells, "clone", "well"), FATES | {"time_key": "time"}, KeyError, "Did not find `time_key='time'`"),
        (
            (cells, "clone", "well"),
            FATES | {"early": 2},
            ValueError,
            r"`early` names 2, but .* It holds text: pass '2'\.$",
        ),
        (
            (cells, "clone", "well"),
            FATES | {"early": "4"},
            ValueError,
            r"`early` names '4', but `.obs\['day'\]` has",
        ),
        (
            (cells, "clone", "well"),
            FATES | {"late": ["2", "6"]},
            ValueError,
            "`early` and `late` have a time in common",
        ),
        (
            (lambda: cells(clone=list(map(str, range(60)))), "clone", "well"),
            FATES,
            ValueError,
            "No cell of `early` shares",
        ),
        ((lambda: cells()[:40], "clone", "well"), FATES, ValueError, "`adata` is a view"),
        ((cells, "clone", "well"), FATES | {"key_added": "a/b"}, ValueError, "`key_added` must be a name"),
    ),
    *rows(
        "pp.recipe_lmi",
        ((cells,), {"n_top_genes": 1.5}, TypeError, "`n_top_genes` must be an integer, got 1.5"),
        ((lambda: cells()[:0].copy(),), {"copy": True}, ValueError, "`adata` is empty: 0 cells"),
        ((cells,), {"layer": 3}, KeyError, "Did not find 3 in `.layers`"),
    ),
    *rows(
        "pp.read_embeddings",
        (("no/such.h5",), {}, FileNotFoundError, "`source` is 'no/such.h5', where there is no file; pass the path"),
        ((__file__,), {}, ValueError, "`source` is .*, which is not an HDF5 file; read it yourself"),
        ((pd.DataFrame(),), {}, ValueError, "The embeddings are empty: 0 names x 0 dimensions"),
        ((pd.DataFrame(X[:2], ["a", "a"]),), {}, ValueError, "1 names occur more than once, the first 'a'"),
    ),
    *(
        case
        for name, option, value, error, message in (
            ("gaussian", "bits", "a", TypeError, "`bits` must be a number, got 'a'"),
            ("heavy_tailed", "degrees_of_freedom", "a", TypeError, "`degrees_of_freedom` must be a number"),
            ("symmetric", "n_exclusive", 1.5, ValueError, "`n_exclusive` is 1.5; give a whole number"),
            ("curved", "n_nuisance", 1.5, ValueError, "`n_nuisance` is 1.5; give a whole number"),
            ("clusters", "n_clusters", 2.5, TypeError, "`n_clusters` must be an integer, got 2.5"),
            ("scale_only", "bits", None, TypeError, "`bits` must be a number, got None"),
            ("overdispersed_counts", "bits", "a", TypeError, "`bits` must be a number, got 'a'"),
        )
        for case in rows(
            f"datasets.{name}",
            ((), {option: value}, error, message),
            ((), {"n_samples": 20.5}, TypeError, "`n_samples` must be an integer, got 20.5"),
            ((), {"n_samples": -3}, ValueError, "`n_samples` must be at least 1, got -3"),
            ((), *RNG),
        )
    ),
    *rows(
        "datasets.curved",
        ((20,), {"noise": "a"}, TypeError, "`noise` must be a number, got 'a'"),
    ),
    *rows(
        "datasets.clusters",
        ((20,), {"agreement": "a"}, TypeError, "`agreement` must be a number, got 'a'"),
    ),
    *rows(
        "datasets.lineage",
        (("a",), {}, TypeError, "`n_clones` must be an integer, got 'a'"),
        ((20,), {"n_genes": 500.5}, TypeError, "`n_genes` must be an integer, got 500.5"),
        ((20,), {"depth": "a"}, TypeError, "`depth` must be a number, got 'a'"),
        ((20,), *RNG),
    ),
    *rows(
        "datasets.resampled_labels",
        ((None, ["a", "b"], 1), {}, TypeError, "is a NoneType"),
        ((np.full((4, 2), np.nan), ["a", "b"] * 2, 1), {}, ValueError, "8 NaN or infinite values"),
        ((np.ones((4, 2)), ["a", "b"] * 2, 1.5), {}, TypeError, "`n_samples` must be an integer, got 1.5"),
        ((np.ones((4, 2)), ["a", "b"] * 2, 1, "a"), {}, TypeError, "`bits` must be a number, got 'a'"),
    ),
    *rows(
        "datasets.transform",
        ((X, "asinh"), {}, TypeError, "`sample` must be what a simulator returned, a JointSample, got ndarray"),
        (
            (lambda: sm.datasets.gaussian(9, 3), ["asinh"]),
            {},
            ValueError,
            r"`name` is \['asinh'\]; give one of 'asinh'",
        ),
        ((lambda: sm.datasets.gaussian(9, 3), None), {}, ValueError, "`name` is None; give one of 'asinh'"),
    ),
    *(
        case
        for name in ("larry", "larry_state_fate", "omnipath_pairs", "uniprot_embeddings")
        for case in rows(
            f"datasets.{name}",
            ((), {"path": 3}, TypeError, "`path` must name a folder, got 3"),
            ((), {"path": __file__}, NotADirectoryError, "`path` is .*test_robustness.py', a file; pass the folder"),
        )
    ),
    *rows(
        "datasets.uniprot_embeddings",
        ((["human"],), {}, ValueError, r"organism=\['human'\] is not known; choose one of \['human', "),
    ),
]

# What is made by the package, never by its users.
RESULTS = {
    "tl.DepthScaling",
    *("LMIResult", "MIResult", "tl.Estimate", "tl.Interactions", "tl.MarkovTest"),
    *("get.LMITables", "datasets.JointSample"),
}


@pytest.fixture(autouse=True)
def _no_training(request, monkeypatch):
    def train(*args, **options):
        raise AssertionError("training began")

    if request.node.originalname == "test_bad_input":
        monkeypatch.setattr("scmi.estimators.crossfit.fit_fold", train)


@pytest.mark.parametrize(("run", "error", "message"), TABLE)
def test_bad_input(run, error, message):
    with pytest.raises(error, match=message):
        run()
    assert plt.get_fignums() == []


def test_every_public_function_is_in_the_table():
    folders = {"tl", "pl", "pp", "get", "datasets"}
    public = {name for name in sm.__all__ if name not in {*folders, "estimators", "__version__"}}
    public |= {f"{folder}.{name}" for folder in folders for name in getattr(sm, folder).__all__}
    cases = pd.Series([case.id.split(":")[0] for case in TABLE]).value_counts()
    assert public == set(cases.index) | RESULTS
    assert not RESULTS & set(cases.index)
    assert cases.min() >= 2


@pytest.mark.parametrize("tool", ["lmi", "lmi_matrix", "markov_test"])
def test_a_refused_call_writes_nothing(tool):
    adata = cells()
    before = adata.copy()
    with pytest.raises(TypeError, match="`rng` must be"):
        getattr(sm.tl, tool)(adata, **(MARKOV | {"times": ("2", "6")} if tool == "markov_test" else GROUPS), rng="a")
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    assert list(adata.uns) == list(before.uns)
    assert list(adata.obsm) == list(before.obsm)


# Shapes and types of all kinds


@pytest.mark.filterwarnings("ignore:All rows of", "ignore:.* is one column of whole numbers")
@pytest.mark.filterwarnings("ignore:.*too rarely to tell by:UserWarning")
@QUICK
@given(
    hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint16, np.int64, np.bool_]),
        st.tuples(st.integers(5, 30), st.integers(1, 4)),
        elements={"min_value": 0, "max_value": 1},
    ),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_ksg_of_any_numbers(x, k, random):
    """Rows in another order give the same values in that order; x and y change places; the array stays as it is."""
    y = np.arange(len(x)) % 3
    order = np.array(random.sample(range(len(x)), len(x)))
    before = x.copy()
    x.flags.writeable = False
    pmi = sm.ksg(x, y, k)
    assert pmi.shape == (len(x),)
    assert np.isfinite(pmi).all()
    np.testing.assert_array_equal(sm.ksg(x, y, k), pmi)
    # Ties are parted by noise that goes with the place of a row, not with its values.
    z = np.random.default_rng(random.randrange(99)).normal(size=(len(x), 2))
    pmi = sm.ksg(z, z[:, 0], k)
    np.testing.assert_allclose(sm.ksg(z[order], z[order, 0], k), pmi[order], atol=1e-12)
    np.testing.assert_allclose(sm.ksg(z[:, 0], z, k), pmi, atol=1e-12)
    np.testing.assert_array_equal(x, before)


@QUICK
@given(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=25), st.sampled_from(["f4", "i2", "S3", "O"]))
def test_lmi_of_any_shape_is_refused_by_name(shape, dtype):
    """Fewer than 26 rows or not two dimensions never train: whatever is wrong, the message says so."""
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    with pytest.raises((ValueError, TypeError), match=r"^x (has|holds|is)|^Only \d+ pairs"):
        sm.LMI(preset=Settings(cross_fit=False), k=20).fit(x, np.arange(float(shape[0]) if shape else 1.0))


@QUICK
@given(
    st.lists(st.sampled_from(["p", "q", "r", None]), min_size=1, max_size=8),
    st.lists(st.sampled_from(["p", "q", "r", None]), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_pairs_do_not_depend_on_the_order_of_cells(first, second, random):
    """Whatever the order: exactly the barcodes on both sides are paired, and each row is of its barcode."""
    a, b = (
        ad.AnnData(obs=pd.DataFrame({"clone": np.array(labels, dtype=object)}, pd.RangeIndex(len(labels)).astype(str)))
        for labels in (first, second)
    )
    shared = (set(first) & set(second)) - {None}
    if not shared:
        with pytest.raises(ValueError, match="No barcode is shared"):
            sm.pp.pair_clones(a, b, "clone")
        return
    order = random.sample(range(len(first)), len(first))
    for one in (a, a[order]):
        table = sm.pp.pair_clones(one, b, "clone")
        assert set(table["barcode"]) == shared
        assert (one.obs["clone"].iloc[table["row_a"]].to_numpy() == table["barcode"].to_numpy()).all()
        assert (b.obs["clone"].iloc[table["row_b"]].to_numpy() == table["barcode"].to_numpy()).all()


# What is left behind


@pytest.mark.slow
def test_nothing_is_written_that_nobody_named(tmp_path):
    """An estimate and a picture of it, with HOME and the working folder empty: numba's own cache is in the package."""
    home, folder, settled = (tmp_path / name for name in ("home", "here", "settings"))
    for new in (home, folder):
        new.mkdir()
    shutil.copytree(matplotlib.get_cachedir(), settled)
    code = """
import matplotlib; matplotlib.use("Agg")
import numpy as np, anndata as ad, pandas as pd, scmi as sm, warnings
from scmi.estimators.settings import Settings
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
obs = pd.DataFrame({"day": ["2"] * 60 + ["6"] * 60, "clone": [f"c{i}" for i in range(60)] * 2},
                   index=[f"cell {i}" for i in range(120)])
adata = ad.AnnData(rng.normal(size=(120, 5)).astype("f4"), obs=obs, obsm={"X_map": rng.normal(size=(120, 2))})
model = sm.LMI(n_pairings=1, n_permutations=0, preset=Settings(hidden=(8,), max_steps=2, patience=2))
sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=model)
sm.pl.pmi_embedding(adata, basis="map").figure.canvas.draw()
sm.pl.estimates({"one": adata.uns["lmi"]}).figure.canvas.draw()
"""
    root = str(Path(sm.__file__).parents[1])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    # Matplotlib's list of fonts, which takes long to make, is in its own folder.
    environment |= {"HOME": str(home), "MPLCONFIGDIR": str(settled), "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, capture_output=True)
    assert [path for where in (home, folder) for path in where.rglob("*")] == []
