"""The report of a hardware run, as Markdown with a plot."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.firing.plots import draw_memory
from bench.firing.report import GROWTH_MIB, percentile
from bench.hardware.decoding import CHUNK_BYTES, CONSOLES, MATCH_S, Decoding
from bench.hardware.gateway import GatewayNeeds
from bench.hardware.link import Crowd, Way
from bench.machine import commit_name, load_average, machine_name
from bench.report import MET, NOT_MET

REPORT: Final = "report.md"
MEMORY_PLOT: Final = "hardware-memory.png"
BINARY_MB_S: Final = 20.0
CORES_MAX: Final = 0.5
PATH_P50_MS, PATH_P99_MS, PATH_OVER_FLOOR = 1.5, 6.0, 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything of one run."""

    decoding: list[Decoding]
    gateway: GatewayNeeds
    way: Way
    crowd: Crowd


def write_report(out: Path, measured: Measured, *, full: bool, took_s: float, remark: str) -> Path:
    """Write `report.md` and its plot.

    Returns:
        The report's path.
    """
    out.mkdir(parents=True, exist_ok=True)
    draw_memory(out / MEMORY_PLOT, measured.crowd.memory)
    command = f"cuebird bench hardware{' --full' if full else ''}"
    lines = [
        f"# Hardware, {'full' if full else 'quick'} run",
        "",
        f"`{command}` of {commit_name()}. {machine_name()}. Load average at the end {load_average()}."
        f" It took {took_s / 60:.1f} min.{f' {remark}' if remark else ''}",
        "",
        *decoding_lines(measured.decoding),
        *measured.gateway.lines(),
        "",
        *link_lines(measured.way, measured.crowd),
    ]
    report = out / REPORT
    report.write_text("\n".join(lines) + "\n")
    return report


def decoding_lines(measured: list[Decoding]) -> list[str]:
    """What consoles cost."""
    lines = [
        "## Scoreboard decoders",
        "",
        f"A made-up match of {MATCH_S:g} s at the console's pace, decoded in chunks of {CHUNK_BYTES} bytes as a serial port hands"
        " them over; processor time, the least of several rounds. *Floor*: the same chunks taken over and the first byte of"
        f" each frame looked for. *Cores*: decoding and keeping the score of {CONSOLES:,} consoles at their pace; *full line*:"
        f" decoding alone, were their lines never silent. Target: {BINARY_MB_S:g} MB/s, or {CORES_MAX:g} core for the consoles;"
        " *at their pace* says that full lines would take more.",
        "",
        "| protocol | MB/s | µs a frame | over the floor | cores | cores, full line | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in measured:
        full_line = "–" if one.cores_full_line is None else f"{one.cores_full_line:.2f}"
        lines.append(
            f"| {one.name} | {one.megabytes_s:.2f} | {one.frame_us:.1f} | {one.decode_s / max(one.floor_s, 1e-6):.0f}×"
            f" | {one.cores:.2f} | {full_line} | {_decoding_verdict(one)} |"
        )
    return lines


def link_lines(way: Way, crowd: Crowd) -> list[str]:
    """How soon, and whether all."""
    p50, p99 = percentile(way.ours_ms, 50), percentile(way.ours_ms, 99)
    floor_p50, floor_p99 = percentile(way.floor_ms, 50), percentile(way.floor_ms, 99)
    line_p50, line_p99 = percentile(way.line_ms, 50), percentile(way.line_ms, 99)
    late_p50, late_p99 = percentile(crowd.late_ms, 50), percentile(crowd.late_ms, 99)
    lost = crowd.published - crowd.taken
    rate = crowd.published / crowd.seconds * 60
    return [
        "## From a console to the engine",
        "",
        "*One event*: an OES console on a pseudo-terminal, `cuebird gateway`, mosquitto with TLS, a certificate for everybody"
        " and an access list, the engine's end of the link; each a process on this machine. From the gateway's stamp of the"
        f" last byte of the frame that shows a goal to the engine's handler, {len(way.ours_ms)} goals; from the write of that"
        f" frame on the line to the stamp p50 {line_p50:.2f} ms, p99 {line_p99:.2f} ms. The floor is paho's round trip on the"
        f" same broker, by turns: p50 {floor_p50:.2f} ms, p99 {floor_p99:.2f} ms. *Many devices*: {crowd.devices} connections,"
        f" each with a certificate of its own, its events and a state a second, for {crowd.seconds:g} s, all in one process;"
        f" from the stamp to the engine's handler p50 {late_p50:.2f} ms, p99 {late_p99:.2f} ms.",
        "",
        "| what | target | measured | verdict |",
        "|---|---|---|---|",
        _row("last byte → engine, p50", f"≤ {PATH_P50_MS:g} ms", f"{p50:.2f} ms", p50 <= PATH_P50_MS),
        _row("last byte → engine, p99", f"≤ {PATH_P99_MS:g} ms", f"{p99:.2f} ms", p99 <= PATH_P99_MS),
        _row("p50 over the floor's", f"≤ {PATH_OVER_FLOOR:g}×", f"{p50 / floor_p50:.2f}×", p50 / floor_p50 <= PATH_OVER_FLOOR),
        _row("events a minute", f"{crowd.asked / crowd.seconds * 60:,.0f}", f"{rate:,.0f}", crowd.published == crowd.asked),
        _row("lost", "0", f"{lost} of {crowd.published:,}", not lost and not crowd.alarms),
        _row("twice", "0", f"{crowd.twice}; refused {sum(crowd.refusals.values())}", not crowd.twice),
        _row("memory meanwhile", "flat", f"{crowd.growth_mib:+.1f} MiB after the first quarter", crowd.growth_mib <= GROWTH_MIB),
        "",
        *[f"The link told: {sentence}" for sentence in crowd.alarms],
        f"![Memory of the engine's end]({MEMORY_PLOT})",
    ]


def _row(what: str, target: str, measured: str, met: bool) -> str:
    return f"| {what} | {target} | {measured} | {MET if met else NOT_MET} |"


def _decoding_verdict(one: Decoding) -> str:
    if one.megabytes_s >= BINARY_MB_S or max(one.cores, one.cores_full_line or 0.0) <= CORES_MAX:
        return MET
    return f"{MET} at their pace" if one.cores <= CORES_MAX else NOT_MET
