"""Says what the command line is doing when it takes longer than a person waits without wondering."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console as Terminal

WONDERING_AFTER_S = 0.5


@contextmanager
def told_if_slow(doing: str, terminal: Terminal | None = None) -> Iterator[None]:
    """Show what is being done, with a moving mark, from half a second on; on standard error, and only to a person.

    Args:
        doing: `reading plan.csv`.
    """
    terminal = terminal or Terminal(stderr=True)
    status = terminal.status(doing)
    timer = threading.Timer(WONDERING_AFTER_S, status.start)
    timer.name, timer.daemon = "progress", True
    if terminal.is_terminal:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()
        status.stop()
