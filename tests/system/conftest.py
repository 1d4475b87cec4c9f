"""Which system tests mostly wait (for the demonstration, a restart, a page), and which hear: `make test` runs those of one kind
beside those of the other, one at a time each, so that two that compute seldom meet."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WAITING = {"program", "console", "hardware", "sync"}
HEARING = {"fingerprints"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them by the folders they are in."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if folder in WAITING:
            item.add_marker(pytest.mark.waits)
        elif folder in HEARING:
            item.add_marker(pytest.mark.hears)
