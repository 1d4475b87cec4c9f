"""What is being done is told to a person who waits, and to nobody else."""

import io
import threading

import pytest
from rich.console import Console as Terminal

from console import progress
from console.progress import told_if_slow


class Screen(io.StringIO):
    """Tells when something has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        if "reading plan.csv" in text:
            self.written.set()
        return super().write(text)


def test_a_person_who_waits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal."""
    monkeypatch.setattr(progress, "WONDERING_AFTER_S", 0.0)
    screen = Screen()

    with told_if_slow("reading plan.csv", Terminal(file=screen, force_terminal=True)):
        assert screen.written.wait(10)

    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


def test_a_program_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a person whose command was quick."""
    screen = Screen()
    with told_if_slow("reading plan.csv", Terminal(file=screen, force_terminal=True)):
        pass
    monkeypatch.setattr(progress, "WONDERING_AFTER_S", 0.0)
    with told_if_slow("reading plan.csv", Terminal(file=screen)):
        pass

    assert not screen.written.is_set()
