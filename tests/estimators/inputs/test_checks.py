"""Arguments are refused by name before any work, and too few pairs are told from every other mistake."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from scmi.estimators import TooFew
from scmi.estimators.inputs.checks import (
    as_codes,
    as_generator,
    as_plain,
    check_choice,
    check_counts,
    check_jobs,
    check_number,
    check_same_length,
    seeded,
)
from scmi.estimators.neighbours.windows import Metric


def test_too_few_is_a_value_error():
    assert issubclass(TooFew, ValueError)
    with pytest.raises(ValueError, match="seven"):
        raise TooFew("seven")


@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a", "b", "c"],
        np.array([7.5, 2.0, 7.5, 9.0]),
        pd.Categorical(["b", "a", "b", "c"]),
        pd.Series(list("babc")),
    ],
    ids=["list", "floats", "categories", "series"],
)
def test_labels_become_codes_in_the_order_of_appearance_or_sorted(labels):
    assert as_codes(labels, 4, "groups").tolist() == [0, 1, 0, 2]
    codes = as_codes(labels, 4, "groups", sort=True)
    assert codes.tolist() == [1, 0, 1, 2]
    assert codes.dtype == np.int64


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_label_is_not_a_group(missing):
    with pytest.raises(ValueError, match="`strata` misses 2 of 4 labels, the first at pair 1"):
        as_codes(pd.Series(["a", missing, "b", missing], dtype=object), 4, "`strata`")


def test_every_pair_needs_a_label():
    with pytest.raises(ValueError, match=r"groups has shape \(3,\); expected one label for each of 4 pairs"):
        as_codes(list("abc"), 4, "groups")


def test_rows_must_match():
    assert check_same_length(np.zeros((3, 2)), np.zeros((3, 5))) == 3
    with pytest.raises(ValueError, match="x has 3 rows, but z has 4; row i of both must be one joint sample"):
        check_same_length(np.zeros((3, 2)), np.zeros((4, 2)), "x", "z")


def test_counts_are_integers_and_not_too_small():
    check_counts(n=1, m=np.int32(7))
    check_counts(least=0, n=0)
    with pytest.raises(ValueError, match="`n` must be at least 2, got 1"):
        check_counts(least=2, n=1)
    for value in (2.0, "2", None, True, np.True_, np.array(2)):
        with pytest.raises(TypeError, match="`n` must be an integer"):
            check_counts(n=value)


def test_choices_and_numbers():
    check_choice("metric", "euclidean", Metric)
    with pytest.raises(ValueError, match=r"metric='l1' is not known; choose one of \['chebyshev', 'euclidean'\]"):
        check_choice("metric", "l1", Metric)
    with pytest.raises(ValueError, match=r"metric=array\(.*is not known"):
        check_choice("metric", np.array(["euclidean", "chebyshev"]), Metric)
    check_number("lam", np.float32(1))
    for value in ("1", True, np.True_, np.ones(2)):
        with pytest.raises(TypeError, match=f"`lam` must be a number, got {re.escape(repr(value))}"):
            check_number("lam", value)


def test_jobs():
    for n_jobs in (1, -1, np.int64(2), None):
        check_jobs(n_jobs)
    with pytest.raises(ValueError, match="`n_jobs` is 0"):
        check_jobs(0)
    for value in (1.0, "1", True):
        with pytest.raises(TypeError, match="`n_jobs` must be an integer"):
            check_jobs(value)


def test_plain_values_are_those_of_json():
    given = {"a": np.int8(3), "b": (np.float32(0.5), np.True_, None), "c": [{"d": np.str_("text")}], "e": np.nan}
    plain = as_plain("params", given)
    assert repr(plain) == repr({"a": 3, "b": [0.5, True, None], "c": [{"d": np.str_("text")}], "e": float("nan")})
    assert json.loads(json.dumps(plain))["c"] == [{"d": "text"}]
    with pytest.raises(TypeError, match=r"`params\['x'\]` is array\(\[1\]\), which can't be saved"):
        as_plain("params", {"x": np.array([1])})


def test_a_generator_is_used_and_a_seed_starts_one():
    generator = np.random.default_rng(3)
    assert as_generator(generator) is generator
    assert as_generator(3).random() == np.random.default_rng(3).random()
    for bad, kind in ((-1, ValueError), ("seed", TypeError), (True, TypeError)):
        with pytest.raises(kind, match="`rng` must be an integer from 0, a numpy Generator or None"):
            as_generator(bad)


def test_the_seed_that_was_used_can_be_used_again():
    for given in (5, np.int64(5), None):
        generator, seed = seeded(given)
        assert isinstance(seed, int)
        assert np.random.default_rng(seed).random() == generator.random()
    generator = np.random.default_rng(0)
    assert seeded(generator) == (generator, None)
