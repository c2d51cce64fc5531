"""What stands where there is none: values that, by themselves, say that a barcode or a label is missing."""

import numbers
import re

import numpy as np

__all__ = ["means_missing"]

# What pandas, Scanpy, scirpy, clone2vec and databases leave behind where a cell has no barcode, once written as text in
# whatever case; also where two such columns were joined.
_MISSING_TEXT = ("", "na", "n/a", "<na>", "nan", "none", "null", "unassigned", "not assigned", "-1", "-1.0")
_JOINTS = re.compile(r"[_|;:,+\s-]+")
# Where codes of categories are written, this stands for none.
_MISSING_CODE = -1


def means_missing(value: object) -> bool:
    """Whether a barcode or a label, by itself, says that there is none. (NaN, None and pd.NA pandas knows.)"""
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, numbers.Real):
        return bool(value == _MISSING_CODE)
    text = str(value).strip().lower()
    if text in _MISSING_TEXT:
        return True
    parts = _JOINTS.split(text)
    return len(parts) > 1 and all(part in _MISSING_TEXT for part in parts)
