"""The promise of the picture of a training: losses are those stored, and the step that was kept is marked."""

import numpy as np
import pytest

import scmi as sm


def test_history_marks_what_was_kept(of_networks):
    ax = sm.pl.history(of_networks)
    frame = of_networks.uns["lmi"]["history"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    for fold, kind in enumerate(of_networks.uns["lmi"]["params"]["latent_model"]):
        losses = frame[frame["fold"] == fold]
        train, validation, dot = ax.lines[3 * fold : 3 * fold + 3]
        np.testing.assert_array_equal(train.get_ydata(), losses["train"])
        np.testing.assert_array_equal(validation.get_xydata(), losses[["step", "validation"]])
        assert dot.get_ydata()[0] == losses["validation"].min()
        step = int(losses["step"].iloc[losses["validation"].to_numpy().argmin()])
        assert labels[fold].startswith(f"half {fold + 1}: best at step {step}, kept")
        assert (f"{kind} model told more, and is used" in labels[fold]) == (kind != "network")
    assert labels[2:] == ["pairs kept from training, which tell when to stop", "pairs trained on"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training step", "prediction error (loss)")
    with pytest.raises(KeyError, match="Run `sm.tl.lmi` first"):
        sm.pl.history(of_networks, key="other")


def test_closed_forms_have_no_course(estimated):
    with pytest.raises(ValueError, match="has no networks: of less than 2,000 barcodes"):
        sm.pl.history(estimated)
