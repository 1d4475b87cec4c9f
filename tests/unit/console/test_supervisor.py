"""The supervisor: processes started, restarted and stopped."""

import asyncio
import sys
from pathlib import Path

import pytest

from console.supervisor import Child, ChildFailedError, Supervisor
from timebase import SystemClock

PYTHON = (sys.executable, "-c")
READY = "import json, sys, time; print(json.dumps({'ready': True, 'n': 7}), flush=True); "


def supervisor(log_dir: Path, lines: list[tuple[str, dict[str, object]]] | None = None) -> Supervisor:
    """A supervisor of Python one-liners."""
    collect = None if lines is None else (lambda name, facts: lines.append((name, facts)))
    return Supervisor(clock=SystemClock(), program=PYTHON, log_dir=log_dir, on_line=collect)


async def test_ready_child_hands_its_facts_on(tmp_path: Path) -> None:
    """What a child says when it is ready is known to those who waited for it."""
    async with supervisor(tmp_path) as family:
        running = await family.start_ready(Child(name="engine", arguments=(READY + "time.sleep(60)",)))

        assert running.facts["n"] == 7
        assert running.process is not None
        assert running.process.returncode is None
    assert running.process.returncode is not None


async def test_child_that_dies_later_is_started_again(tmp_path: Path) -> None:
    """A crash after a good start is repaired."""
    async with supervisor(tmp_path) as family:
        running = await family.start_ready(Child(name="listener", arguments=(READY + "time.sleep(60)",)))
        assert running.process is not None
        first = running.process
        running.ready.clear()
        first.kill()
        async with asyncio.timeout(20):
            await running.ready.wait()

        assert running.starts == 2
        assert running.process is not first


async def test_child_that_cannot_start_ends_all_with_its_own_sentence(tmp_path: Path) -> None:
    """A wrong setting is said once, not tried for ever."""
    complaint = "import sys; print('cuebird: port 8400 is in use', file=sys.stderr); sys.exit(1)"
    with pytest.raises(ExceptionGroup) as caught:
        async with supervisor(tmp_path) as family:
            await family.start_ready(Child(name="console", arguments=(complaint,)))

    assert caught.group_contains(ChildFailedError, match="console could not start: port 8400 is in use")


async def test_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping never hangs on a child."""
    monkeypatch.setattr("console.supervisor.STOP_PATIENCE_S", 0.2)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "time.sleep(60)"
    async with supervisor(tmp_path) as family:
        running = await family.start_ready(Child(name="stubborn", arguments=(stubborn,)))

    assert running.process is not None
    assert running.process.returncode == -9


async def test_lines_of_a_child_reach_the_listener_and_noise_does_not(tmp_path: Path) -> None:
    """Only JSON objects count; a stray print breaks nothing."""
    lines: list[tuple[str, dict[str, object]]] = []
    talk = "import json; print('hello'); print('[1]'); print(json.dumps({'pass': 1})); print('{broken')"
    async with supervisor(tmp_path, lines) as family:
        running = await family.start(Child(name="broadcast", arguments=(talk,), restart=False))
        await running.ended.wait()

    assert lines == [("broadcast", {"pass": 1})]


async def test_log_holds_what_the_child_wrote_on_stderr(tmp_path: Path) -> None:
    """Each child has a log file of its own."""
    async with supervisor(tmp_path) as family:
        running = await family.start(
            Child(name="gateway", arguments=("import sys; print('two bad frames', file=sys.stderr)",), restart=False)
        )
        await running.ended.wait()

    assert (tmp_path / "gateway.log").read_text() == "two bad frames\n"
