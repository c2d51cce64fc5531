"""Warnings that point at the user's line, however deep they were raised."""

import os
import sys
from pathlib import Path

_PACKAGE = str(Path(__file__).parent) + os.sep


def user_stacklevel() -> int:
    """`stacklevel` at which a warning raised by the caller of this function points outside the package.

    The same check serves tools of different depth, so that no constant would do.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level
