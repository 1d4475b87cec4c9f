"""Which system tests mostly wait: for the demonstration, a restart, a page. `make test` runs two files of these at a time."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WAITING = ("program", "console", "hardware", "sync")
"""Folders of them, the one with the longest test first: whatever begins last is waited for alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, and put them first."""
    waiting = {item: WAITING.index(folder) for item in items if (folder := _folder(item)) in WAITING}
    for item in waiting:
        item.add_marker(pytest.mark.waits)
    items.sort(key=lambda item: waiting.get(item, len(WAITING)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
