"""Ctrl-C at any moment: real signals, since tests that raise at lines of code miss what happens between two of them."""

import signal


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
    except SystemError:
        # What Numba makes of an interrupt that strikes while it hands arrays to or from compiled code.
        if not struck:
            raise
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False
