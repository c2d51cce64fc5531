"""Ctrl-C at any moment: real signals, and, where every line has to be tried, at so many lines of code."""

import pickle
import signal
import sys


def state(adata):
    """All that can be told of an object, as bytes."""
    parts = [{"X": adata.X}, adata.layers, adata.obs, adata.var, dict(adata.obsm), dict(adata.uns)]
    return pickle.dumps([[list(part), dict(part)] for part in parts])


def interrupted_at(call, wanted, here=None):
    """Call with an interrupt at so many lines, of one file or of all; how many lines there were."""
    n_lines = 0

    def trace(frame, event, arg):
        nonlocal n_lines
        if event == "line" and (here is None or frame.f_code.co_filename.endswith(here)):
            n_lines += 1
            if n_lines == wanted:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return n_lines


def interrupted(call, after):
    """Call, with an interrupt after so many seconds; whether it struck before the call had returned."""
    armed = struck = False

    def strike(number, frame):
        nonlocal armed, struck
        if armed:
            armed, struck = False, True
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, after)
            call()
        finally:
            armed = False
    except KeyboardInterrupt:
        return True
    except (SystemError, ValueError) as error:
        # What Numba makes of an interrupt that strikes while it hands arrays to or from compiled code; and Matplotlib.
        if not struck or (isinstance(error, ValueError) and "Invalid affine" not in str(error)):
            raise
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False
