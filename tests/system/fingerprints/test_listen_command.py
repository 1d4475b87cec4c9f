"""`cuebird listen` as a person runs it: real processes, a real stream, real spots."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fingerprints.broadcast import Broadcast
from timebase import SystemClock

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[3]
SPOTS = ROOT / "examples" / "media" / "spots"
COMMAND = [sys.executable, "-m", "console.cli", "listen", "--spots", str(SPOTS)]
PATIENCE_S = 90.0
"""The kernels may have to be compiled first."""


def hear_interrupts() -> None:
    """As a terminal starts a program: what a shell runs in the background would pass on that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@asynccontextmanager
async def listening(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The running command; gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(*arguments: str) -> tuple[int | None, list[str], str]:
    """Exit code, lines of standard output, standard error."""
    async with listening(*arguments) as process:
        output, errors = await process.communicate()
    return process.returncode, output.decode().splitlines(), errors.decode()


async def next_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    parsed: dict[str, Any] = json.loads(await process.stdout.readline())
    return parsed


def ignores_interrupts(pid: int) -> list[bool]:
    """For each process of a feed below `pid`, whether Ctrl-C leaves it alone."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if "resource_tracker" not in Path(f"/proc/{child}/cmdline").read_text():
            ignored = next(line for line in Path(f"/proc/{child}/status").read_text().splitlines() if line.startswith("SigIgn"))
            found.append(bool(int(ignored.split()[1], 16) & 1 << (signal.SIGINT - 1)))
    return found


async def test_files_are_heard_in_a_process_each_and_end_with_0() -> None:
    """Two feeds, four whole lines: a detection and its end for each."""
    files = [str(SPOTS / "brus-10.opus"), str(SPOTS / "sparring-15.opus")]

    code, lines, errors = await run(*files, "--format", "jsonl")

    assert (code, "Traceback" in errors) == (0, False), errors
    found = [json.loads(line) for line in lines]
    assert sorted((line["feed"], line["spot"]) for line in found) == sorted(
        (file, Path(file).stem) for file in files for _ in "ab"
    )
    for line in found:
        if "end_s" in line:
            assert set(line) == {"spot", "feed", "onset_s", "end_s", "coverage", "speed", "confidence", "cut_s", "confidences"}
            assert line["coverage"] > 0.9
        else:
            assert set(line) == {"spot", "spots", "feed", "onset_s", "decided_s", "score", "threshold", "speed"}
            assert line["onset_s"] == pytest.approx(0, abs=0.03)
            assert line["onset_s"] < line["decided_s"]
            assert line["score"] >= line["threshold"]


async def test_a_live_spot_is_printed_while_it_airs_and_ctrl_c_ends_it() -> None:
    """The line is there long before the spot's end; the interrupted command says nothing more and ends with 130."""
    station = Broadcast(SPOTS / "brus-10.opus", clock=SystemClock(), loop=False)
    async with station, listening(station.url, "--format", "jsonl") as process:
        line = await next_line(process)
        assert not station.finished.is_set()
        process.send_signal(signal.SIGINT)
        output, errors = await process.communicate()

    assert (line["spot"], line["feed"]) == ("brus-10", station.url)
    assert (process.returncode, output) == (130, b"")
    told = errors.decode()
    assert "Traceback" not in told
    assert f"{station.url}: live" in told


async def test_ctrl_c_ends_the_processes_of_all_feeds() -> None:
    """A terminal interrupts them all: the feeds' processes ignore it, and their parent ends them; the pipes close with them."""
    async with Broadcast(SPOTS / "brus-10.opus", clock=SystemClock()) as station, listening(station.url, station.url) as process:
        assert process.stdout is not None
        assert b"brus-10" in await process.stdout.readline()
        assert ignores_interrupts(process.pid) == [True, True]
        os.killpg(process.pid, signal.SIGINT)
        _, errors = await process.communicate()

    assert process.returncode == 130
    assert b"Traceback" not in errors


async def test_a_feed_that_cannot_be_read_is_said_and_the_others_are_heard() -> None:
    """One sentence for the missing file, exit code 1, and the other file's lines."""
    code, lines, errors = await run("nowhere.wav", str(SPOTS / "brus-10.opus"))

    assert code == 1
    assert "cuebird: nowhere.wav: there is no such file; check the name" in errors
    assert "Traceback" not in errors
    assert any("brus-10" in line and "decided after" in line for line in lines)


async def test_a_reader_that_goes_away_is_no_crash() -> None:
    """`cuebird listen … | head` ends when `head` does."""
    async with listening(str(SPOTS / "brus-10.opus")) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        transport: Any = process.stdout._transport  # type: ignore[attr-defined]  # asyncio has no public way to close it
        transport.close()
        errors = await process.stderr.read()
        code = await process.wait()

    assert (code, b"Traceback" in errors) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.wav"], "cuebird: nowhere.wav: there is no such file; check the name"),
        (["gopher://127.0.0.1:9000"], "sources of the kind 'gopher' are not opened"),
        (["a.wav", "--silence-db", "20"], "--silence-db"),
    ],
)
async def test_mistakes_are_one_sentence(arguments: list[str], sentence: str) -> None:
    """No traceback for what people get wrong."""
    code, lines, errors = await run(*arguments)

    assert code in (1, 2)
    assert (lines, "Traceback" in errors) == ([], False)
    assert sentence in errors
