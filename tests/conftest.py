"""System tests go in two lanes, each a process that takes one test at a time: those that hear, and those that mostly wait (for
a server, a restart, a page), so that two that compute never meet."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HEARING = ("tests/system/fingerprints/", "tests/unit/bench/")


class Lanes(LoadScopeScheduling):
    """One scope for each lane."""

    def _split_scope(self, nodeid: str) -> str:
        return "hears" if nodeid.startswith(HEARING) else "waits"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    """Lanes for `-n 2 --dist loadscope`; as xdist has it otherwise."""
    return Lanes(config, log) if config.getvalue("dist") == "loadscope" else None
