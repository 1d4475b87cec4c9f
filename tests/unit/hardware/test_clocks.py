"""What is known of a gateway's clock: from the kernel, from the programme that keeps it, and from its messages."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware import clock_watch
from hardware.clock_comparison import ClockComparison
from hardware.clock_quality import ClockQuality, _offset_us, clock_quality
from hardware.clock_reports import KEEPERS, ClockKeeper, ClockReport, parse_chrony, parse_ptp, parse_timesyncd
from hardware.clock_watch import ClockWatch
from timebase import VirtualClock

CHRONY = """Reference ID    : B97DBE7B (2.ntp.ubuntu.com)
Stratum         : 3
Ref time (UTC)  : Mon Jun 16 13:06:04 2025
System time     : 0.000354952 seconds slow of NTP time
Last offset     : +0.001758954 seconds
RMS offset      : 0.017604901 seconds
Frequency       : 3.889 ppm slow
Residual freq   : +0.202 ppm
Skew            : 1.458 ppm
Root delay      : 0.022000000 seconds
Root dispersion : 0.003000000 seconds
Update interval : 64.2 seconds
Leap status     : Normal
"""
TIMESYNCD = """       Server: 80.249.145.122 (0.debian.pool.ntp.org)
Poll interval: 8min 32s (min: 32s; max 34min 8s)
         Leap: normal
      Version: 4
    Precision: 1us (-23)
Root distance: 38.803ms (max: 5s)
       Offset: -5.086ms
        Delay: 273.384ms
       Jitter: 10month 2w 1d 13h 28min 23.169258s
 Packet count: 17
"""
PTP = """sending: GET TIME_STATUS_NP
\t38f3ab.fffe.9c3830-0 seq 0 RESPONSE MANAGEMENT TIME_STATUS_NP
\t\tmaster_offset              -1800
\t\tingress_time               1634567890123456789
\t\tgmPresent                  true
\t\tgmIdentity                 38f3ab.fffe.9c3831
"""


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_chrony, CHRONY, ClockReport(offset_us=-355, error_us=14_355)),
        (parse_chrony, CHRONY.replace("slow of", "fast of"), ClockReport(offset_us=355, error_us=14_355)),
        (parse_chrony, CHRONY.replace(": Normal", ": Not synchronised"), None),
        (parse_chrony, CHRONY.replace("Root delay ", "Root of it "), ClockReport(offset_us=-355, error_us=None)),
        (parse_chrony, "506 Cannot talk to daemon\n", None),
        (parse_timesyncd, TIMESYNCD, ClockReport(offset_us=5086, error_us=43_889)),
        (parse_timesyncd, TIMESYNCD.replace("-5.086ms", "+1min 2.5s"), ClockReport(offset_us=-62_500_000, error_us=62_538_803)),
        (parse_timesyncd, TIMESYNCD.replace("38.803ms", "?"), ClockReport(offset_us=5086, error_us=None)),
        (parse_timesyncd, "Server: n/a\nPacket count: 0\n", None),
        (parse_ptp, PTP, ClockReport(offset_us=-2, error_us=None)),
        (parse_ptp, PTP.replace("true", "false"), None),
        (parse_ptp, "sending: GET TIME_STATUS_NP\n", None),
    ],
)
def test_what_keepers_say_is_read(parse: Callable[[str], ClockReport | None], text: str, expected: ClockReport | None) -> None:
    """Ahead is positive, whichever way round the programme counts; without a source there is no report."""
    assert parse(text) == expected


@given(text=st.text(max_size=300), at=st.integers(0, 700))
def test_no_text_raises(text: str, at: int) -> None:
    """A newer version may say anything, anywhere."""
    for keeper in KEEPERS:
        keeper.parse(text)
        for known in (CHRONY, TIMESYNCD, PTP):
            keeper.parse(known[:at] + text + known[at:])


def test_the_kernels_own_loop_tells_what_it_still_adds() -> None:
    """In nanoseconds or microseconds; while the loop is off the number means nothing."""
    pll, nano = 0x0001, 0x2000
    assert [_offset_us(pll, -300), _offset_us(pll | nano, 300_000), _offset_us(nano, 300_000)] == [300, -300, None]


def test_the_kernel_is_asked() -> None:
    """A bound only when something disciplines the clock."""
    quality = clock_quality()

    assert quality.source in ("synchronised", "unsynchronised", "unknown")
    assert (quality.error_us is not None) == (quality.source == "synchronised")


async def watched(*keepers: ClockKeeper) -> ClockQuality:
    """What a watch knows after its first round."""
    clock = VirtualClock()
    watch = ClockWatch(clock=clock, keepers=keepers)
    watch._by, watch._report = await watch._ask()
    return watch.quality()


def programme(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programmes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programmes found before all others, on a machine whose kernel says: synchronised within 900 µs."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(clock_watch, "clock_quality", lambda: ClockQuality(source="synchronised", error_us=900))
    return tmp_path


async def test_the_keeper_that_answers_is_believed(programmes: Path) -> None:
    """In the order of the list; its bound counts where it is the larger one. It is asked in English."""
    programme(programmes, "pmc", "exit 1")
    programme(programmes, "chronyc", f"[ $LC_ALL = C ] && cat <<'END'\n{CHRONY}END")
    programme(programmes, "timedatectl", f"cat <<'END'\n{TIMESYNCD}END")

    assert await watched(*KEEPERS) == ClockQuality(source="synchronised", error_us=14_355, offset_us=-355, by="chrony")


async def test_without_a_keeper_the_kernel_speaks_alone(programmes: Path) -> None:
    """A programme that is not there, fails, cannot be run, or says nothing of use adds nothing."""
    programme(programmes, "empty", "true")
    programme(programmes, "failing", f"cat <<'END'\n{CHRONY}END\nexit 3")
    (programmes / "broken").write_text("no programme")
    (programmes / "broken").chmod(0o755)
    names = ("missing-altogether", "empty", "failing", "broken")
    keepers = [ClockKeeper(name=name, command=(name,), parse=parse_chrony) for name in names]

    assert await watched(*keepers) == ClockQuality(source="synchronised", error_us=900)


def still_runs(pid_file: Path) -> bool:
    return pid_file.exists() and Path(f"/proc/{pid_file.read_text().strip()}").exists()


async def test_a_keeper_that_hangs_is_given_up(programmes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway goes on, and the programme is not left behind."""
    monkeypatch.setattr(clock_watch, "ANSWER_TIMEOUT_S", 0.05)
    programme(programmes, "hanging", "echo $$ > $(dirname $0)/pid; exec sleep 600")

    assert (await watched(ClockKeeper(name="x", command=("hanging",), parse=parse_chrony))).by == ""
    assert not still_runs(programmes / "pid")


async def test_an_unsynchronised_kernel_has_the_last_word(programmes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that knows the offset has not mended it yet."""
    unsynchronised = ClockQuality(source="unsynchronised", error_us=None)
    monkeypatch.setattr(clock_watch, "clock_quality", lambda: unsynchronised)
    programme(programmes, "chronyc", f"cat <<'END'\n{CHRONY}END")

    assert await watched(*KEEPERS) == unsynchronised


def test_the_quickest_message_tells_the_difference() -> None:
    """One alone may have lain at the broker; a late one does not hide the others; who returns is measured anew."""
    comparison = ClockComparison()
    comparison.note(3600 * 10**9)
    assert comparison.remark == ""
    for lag_ms in (2.0, 900.0, 3.0):
        comparison.note(round(lag_ms * 1e6))
    told = (comparison.behind_ms, comparison.remark)
    comparison.forget()

    assert (told, comparison.behind_ms) == ((2.0, ""), None)


def test_a_message_from_the_future_shows_how_far_a_clock_is_ahead() -> None:
    """One is enough, and a late one takes nothing back; a clock that is behind, or not known, is not ahead."""
    comparison = ClockComparison()
    before = comparison.ahead_ns
    for lag_ms in (-300, 20):
        comparison.note(lag_ms * 10**6)
    ahead_ns = comparison.ahead_ns
    comparison.forget()
    comparison.note(20 * 10**6)

    assert (before, ahead_ns, comparison.ahead_ns) == (0, 300 * 10**6, 0)


@pytest.mark.parametrize(
    ("lag_ms", "remark"),
    [
        (1000.0, ""),
        (1100.0, "its clock is 1.1 s behind the engine's: set the clocks, or its events are refused"),
        (-500.0, ""),
        (-37_000.0, "its clock is 37.0 s ahead of the engine's: set the clocks, or its events are refused"),
    ],
)
def test_clocks_that_differ_too_much_are_said(lag_ms: float, remark: str) -> None:
    """Before events are refused for it."""
    comparison = ClockComparison()
    for _ in range(2):
        comparison.note(round(lag_ms * 1e6))

    assert comparison.remark == remark
