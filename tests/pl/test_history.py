"""The promise of the picture of a training: losses are those stored, and the step that was kept is marked."""

import numpy as np
import pytest

import scmi as sm


def test_history_marks_what_was_kept(estimated):
    ax = sm.pl.history(estimated)
    frame = estimated.uns["lmi"]["history"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    for fold, kind in enumerate(estimated.uns["lmi"]["params"]["latent_model"]):
        losses = frame[frame["fold"] == fold]
        train, validation, dot = ax.lines[3 * fold : 3 * fold + 3]
        np.testing.assert_array_equal(train.get_ydata(), losses["train"])
        np.testing.assert_array_equal(validation.get_xydata(), losses[["step", "validation"]])
        assert dot.get_ydata()[0] == losses["validation"].min()
        assert (f"{kind} model used" in labels[fold]) == (kind != "network")
    with pytest.raises(KeyError, match="Run `sm.tl.lmi` first"):
        sm.pl.history(estimated, key="other")
