"""`cuebird delay` on the same evening through two codecs, as files and as live streams."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fingerprints.broadcast import Broadcast
from timebase import SystemClock

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[3]
PROGRAMME = ROOT / "examples" / "media" / "programme.opus"
COMMAND = [sys.executable, "-m", "console.cli", "delay", "--format", "jsonl"]
PRIMING_MS = {"mp3": 1000 * (576 + 529) / 48_000, "aac": 1000 * 1024 / 48_000, "wav": 0.0}
"""What each encoder puts before the first sample and a bare stream does not tell of."""


def cut(path: Path, *, from_s: float, length_s: float = 25.0) -> Path:
    codec = {
        ".aac": ["-c:a", "aac", "-b:a", "64k"],
        ".mp3": ["-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", "0"],
        ".wav": [],
    }
    command = ["ffmpeg", "-v", "error", "-y", "-ss", str(from_s), "-i", str(PROGRAMME), "-t", str(length_s)]
    subprocess.run([*command, *codec[path.suffix], str(path)], check=True)
    return path


async def measured(*feeds: str, wanted: int = 0) -> list[dict[str, Any]]:
    """The command's lines; ended after `wanted` that tell a delay, or by itself."""
    process = await asyncio.create_subprocess_exec(*COMMAND, *feeds, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                lines.append(json.loads(line))
                if wanted and sum(one["delay_ms"] is not None for one in lines) >= wanted:
                    break
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return lines


@pytest.mark.parametrize(("kind_a", "kind_b", "offset_s"), [("wav", "aac", -1.234), ("aac", "mp3", 4.5)])
async def test_files_through_codecs_within_ten_milliseconds(tmp_path: Path, kind_a: str, kind_b: str, offset_s: float) -> None:
    """The offset that was cut, and what the codecs add."""
    a = cut(tmp_path / f"a.{kind_a}", from_s=20.0)
    b = cut(tmp_path / f"b.{kind_b}", from_s=20.0 - offset_s)

    found = (await measured(str(a), str(b)))[-1]

    assert found["delay_ms"] == pytest.approx(1000 * offset_s + PRIMING_MS[kind_b] - PRIMING_MS[kind_a], abs=10)
    assert found["confidence"] > 0.3


async def test_other_programmes_have_no_delay(tmp_path: Path) -> None:
    """It is said, not guessed."""
    a, b = cut(tmp_path / "a.wav", from_s=0.0, length_s=7.0), cut(tmp_path / "b.wav", from_s=70.5, length_s=6.0)

    found = (await measured(str(a), str(b)))[-1]

    assert found["delay_ms"] is None
    assert "do not carry the same programme" in found["detail"]


async def test_live_streams(tmp_path: Path) -> None:
    """Two stations that begin 0.8 s apart; their passes' instants are the truth, both codecs the same."""
    clock, on_air = SystemClock(), dict[str, int]()
    file = cut(tmp_path / "evening.wav", from_s=0.0, length_s=40.0)

    def station(name: str) -> Broadcast:
        return Broadcast(
            file,
            clock=clock,
            bit_rate=96_000,
            wait_for_client=False,
            on_pass=lambda _, mono_ns: on_air.setdefault(name, mono_ns),  # type: ignore[arg-type]  # its result is not used
        )

    async with station("a") as a:
        await clock.sleep(0.8)
        async with station("b") as b:
            lines = await measured(a.url, b.url, wanted=2)

    expected_ms = (on_air["b"] - on_air["a"]) / 1e6
    delays = [line["delay_ms"] for line in lines if line["delay_ms"] is not None]
    assert delays == pytest.approx([expected_ms] * 2, abs=10)
