"""The configuration that a tool was given."""

from scmi.estimators.lmi import LMI

__all__ = ["as_model"]


def as_model(model: LMI | None) -> LMI:
    """The model itself, or one with the defaults; checked before anything is computed."""
    if model is None:
        return LMI()
    if not isinstance(model, LMI):
        raise TypeError(f"`model` must be an LMI such as `sm.LMI(k=5)`, got {type(model).__name__}.")
    model.check()
    return model
