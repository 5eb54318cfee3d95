"""Ctrl-C, heard between two steps."""
import signal
import threading
from contextlib import contextmanager


@contextmanager
def ctrl_c():
    """A list that Ctrl-C fills, so that no step is cut in half; a second Ctrl-C interrupts at once."""
    pressed = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed                                  # Python lets only the main thread listen
        return
    before = signal.getsignal(signal.SIGINT)

    def note(signum, frame):
        pressed.append(signum)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
