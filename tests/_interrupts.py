"""Ctrl-C at any moment: real signals, since tests that raise at lines of code miss what happens between two of them."""

import signal

_armed = False


def _strike(number, frame):
    global _armed
    if _armed:
        _armed = False
        raise KeyboardInterrupt


def interrupted(call, after):
    """Call, with an interrupt after so many seconds; whether it struck before the call had returned."""
    global _armed
    before = signal.signal(signal.SIGALRM, _strike)
    try:
        try:
            _armed = True
            signal.setitimer(signal.ITIMER_REAL, after)
            call()
        finally:
            _armed = False
    except KeyboardInterrupt:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False
