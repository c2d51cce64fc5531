"""The promises of what is said.

- Results print as one sentence of bits, interval, p and what they are from, and as a small table in notebooks; what is
  missing is left out; of labels, what there is to know is said.
- What is stored prints short.
- A tool says one line a call: where its logger is on, there; elsewhere as Scanpy's verbosity asks; never both.
"""

import logging
import re
from dataclasses import replace
from io import StringIO

import anndata as ad
import numpy as np
import pytest
import scanpy as sc

import scmi as sm
from scmi._words import EstimateInWords, bits_in_words, in_two_digits

FACTS = EstimateInWords(
    mi=0.984,
    ci=(0.776, 1.184),
    mi_ksg=0.984,
    correction="not applied: no sign that counting misses any information",
    p=0.001,
    counted="113 barcodes",
    entropy=np.nan,
    expected=None,
)
HOW = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}


def test_nothing_is_minus_zero():
    assert bits_in_words((-0.001, 1.192)) == "0.00 to 1.19"
    assert replace(FACTS, mi=-0.004).sentence().startswith("0.00 bits")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "0.98 bits (90 %: 0.78 to 1.18), p = 0.001, 113 barcodes"),
        ({"ci": (np.nan, np.nan)}, "0.98 bits (too few for an interval), p = 0.001, 113 barcodes"),
        ({"p": np.nan}, "0.98 bits (90 %: 0.78 to 1.18), 113 barcodes"),
        ({"ci": (0.776, np.inf)}, "at least 0.98 bits, more than 113 barcodes can show in full, p = 0.001"),
        ({"ci": (np.nan, np.inf), "p": np.nan}, "at least 0.98 bits, more than 113 barcodes can show in full"),
        ({"p": 1e-59}, "0.98 bits (90 %: 0.78 to 1.18), p < 1e-06, 113 barcodes"),
        ({"p": 0.0462}, "0.98 bits (90 %: 0.78 to 1.18), p = 0.046, 113 barcodes"),
        (
            {"entropy": 1.585},
            "0.98 bits (90 %: 0.78 to 1.18) of the 1.58 that the labels hold, p = 0.001, 113 barcodes",
        ),
        (
            {"expected": (1.0, 1.3)},
            "0.98 bits (90 %: 0.78 to 1.18), p = 0.001, 113 barcodes; a lower bound: twice as many should give 1.00 to "
            "1.30",
        ),
        # Nothing is forecast of what may be chance, nor where the truth may be any number above.
        ({"expected": (1.0, 1.3), "p": 0.3}, "0.98 bits (90 %: 0.78 to 1.18), p = 0.3, 113 barcodes"),
        (
            {"expected": (1.0, 1.3), "ci": (0.776, np.inf)},
            "at least 0.98 bits, more than 113 barcodes can show in full, p = 0.001",
        ),
    ],
)
def test_the_sentence_of_an_estimate(changed, sentence):
    assert replace(FACTS, **changed).sentence() == sentence
    # The table says the same, name by name.
    said = " ".join(replace(FACTS, **changed).rows().values())
    assert all(number in said for number in ("0.98 bits", "113 barcodes"))
    assert ("0.78 to 1.18 bits" in said) == ("90 %" in sentence)


def test_the_number_before_a_correction_is_in_the_table_where_there_is_one():
    assert "before correction" not in FACTS.rows()
    assert replace(FACTS, mi_ksg=0.8).rows()["before correction"] == "0.80 bits"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.3137, 0.0039, 0.7462), ["0.31", "0.00", "0.75"]),
        ((12345.0, 8050.0, 19999.0), ["12000", "8000", "20000"]),
        ((-0.001, 3.04), ["0.0", "3.0"]),
        ((0.0, 0.0), ["0", "0"]),
    ],
)
def test_two_digits_of_the_largest(values, words):
    assert in_two_digits(*values) == words


def test_results_print_themselves(estimated, quick_lmi):
    stored, found = estimated.uns["lmi"], sm.get.lmi(estimated)
    low, high = stored["ci"]
    start = (
        f"{stored['mi']:.2f} bits (90 %: {low:.2f} to {high:.2f}), p = {stored['p']:.2g}, {stored['n_pairs']} barcodes"
    )
    assert str(found).startswith(start) and repr(found) == str(found)
    assert (found.mi, found.p, found.n_pairs) == (stored["mi"], stored["p"], stored["n_pairs"])
    model = quick_lmi(n_permutations=19)
    sm.tl.lmi(estimated, **HOW, model=model)
    assert repr(model.result_) == str(sm.get.lmi(estimated)).replace("barcodes", "pairs")
    for result in (found, model.result_):
        html = result._repr_html_()
        assert html.startswith("<table><tr><th>mutual information</th><td>") and html.count("<tr>") >= 5


@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_cells_that_are_paired_by_name_are_cells(experiment, quick_lmi):
    other = experiment.copy()
    sm.tl.lmi(experiment, other, model=quick_lmi(n_permutations=0))
    said = str(sm.get.lmi(experiment))
    # With themselves, as it happens.
    assert said.startswith("at least ") and f"more than {experiment.n_obs:,} cells can show in full" in said
    assert sm.get.lmi(experiment).ci[1] == experiment.uns["lmi"]["ci"][1] == np.inf


@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
@pytest.mark.filterwarnings("ignore:Permuted partners give:UserWarning")
def test_of_labels_what_there_is_to_know_is_said(quick_lmi):
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c", "d"], 40)
    x = np.eye(4)[np.repeat(range(4), 40)] + 0.3 * rng.normal(size=(160, 4))
    options = quick_lmi(n_permutations=0).get_params()
    of_y, of_x, of_both, of_none = (
        sm.lmi(*sides, **options) for sides in ((x, labels), (labels, x), (labels, labels == "a"), (x, x + 1.0))
    )
    assert (of_y.entropy, of_x.entropy) == pytest.approx((2.0, 2.0))
    assert of_both.entropy == pytest.approx(2.0)  # booleans are numbers
    assert np.isnan(of_none.entropy)
    assert "of the 2.00 that the labels hold" in str(of_y)
    assert "entropy of the labels" in of_y._repr_html_()
    assert "labels" not in str(of_none)
    two = sm.lmi(labels, np.where(labels == "a", "yes", "no"), **options)
    assert two.entropy == pytest.approx(0.25 * 2 + 0.75 * np.log2(4 / 3))


def test_the_markov_test_and_its_estimates_print_themselves(experiment, quick_lmi):
    test = sm.tl.markov_test(
        experiment, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well", model=quick_lmi()
    )
    assert repr(test) == str(test) and repr(test.early_late) == str(test.early_late)
    html = test._repr_html_()
    assert f"<th>difference</th><td>{test.difference:+.2f} bits" in html
    assert "<th>I(2; 6, well 2)</th>" in html


@pytest.mark.slow
def test_what_is_stored_prints_short(experiment, tmp_path):
    """A thousand permutations took 16,000 characters. Measured: 3,181 of `lmi` and 1,847 of the Markov test."""
    model = sm.LMI(n_splits=1)
    sm.tl.lmi(experiment, **HOW, model=model)
    sm.tl.conditional_information(experiment, "well", model=model)
    sm.tl.markov_test(experiment, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well")
    experiment.write_h5ad(tmp_path / "x.h5ad")
    for adata in (experiment, ad.read_h5ad(tmp_path / "x.h5ad")):
        assert len(adata.uns["lmi"]["null"]) == 999
        for key in ("lmi", "lmi_conditional", "markov_test"):
            assert len(str(adata.uns[key])) < 4_500, key
    np.testing.assert_array_equal(experiment.uns["lmi"]["null"]["mi"], model.result_.null)


# The logger


@pytest.fixture
def scanpy_says(monkeypatch):
    """What Scanpy writes, at a verbosity."""
    written = StringIO()
    before = sc.settings.verbosity, sc.settings.logfile
    sc.settings.logfile = written

    def at(verbosity):
        sc.settings.verbosity = verbosity
        return written

    yield at
    sc.settings.verbosity, sc.settings.logfile = before


def calls(adata, model):
    """Every tool that speaks, and how its line begins, as a pattern."""
    share = r"adata\[day == '2'\] and adata\[day == '6'\] share "
    yield share, lambda: sm.tl.lmi(adata, **HOW, model=model)
    yield r"\d of 1 tested pairs", lambda: sm.tl.lmi_matrix(adata, pair_key="clone", groupby="day", model=model)
    yield "pMI rises from pseudotime", lambda: sm.tl.pmi_trend(adata, "pseudotime", mask_obs="early", n_resamples=20)
    yield "", lambda: sm.tl.gene_information(adata)
    yield "", lambda: sm.tl.conditional_information(adata, "well", model=model)
    yield (
        r"I\(2; 6, well 2\) = ",
        lambda: sm.tl.markov_test(
            adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well", model=model
        ),
    )


@pytest.mark.slow
def test_one_line_a_call_under_scanpys_verbosity(experiment, quick_lmi, scanpy_says):
    experiment.obs["early"] = experiment.obs["day"] == "2"
    written = scanpy_says("info")
    for start, call in calls(experiment, quick_lmi(n_permutations=19)):
        written.truncate(0), written.seek(0)
        call()
        (line,) = written.getvalue().splitlines()
        assert re.match(start, line)
    scanpy_says("warning").truncate(0)
    sm.tl.gene_information(experiment)
    assert written.getvalue().strip("\0") == ""


def test_a_logger_that_is_on_speaks_instead(estimated, scanpy_says, caplog):
    written = scanpy_says("info")
    with caplog.at_level(logging.INFO, logger="scmi"):
        sm.tl.gene_information(estimated)
    assert len(caplog.messages) == 1 and " are predicted with q at most .05" in caplog.messages[0]
    assert caplog.records[0].filename == "_gene_information.py"
    assert written.getvalue() == ""
