"""A run of the hardware benchmark, from its measurements to its report."""

import time
from pathlib import Path
from typing import Final

from bench.hardware.decoding import CHUNK_BYTES, CONSOLES, MATCH_S, Decoding, measure_decoding
from bench.hardware.gateway import GatewayNeeds, measure_gateway
from bench.machine import commit_name, load_average, machine_name
from bench.report import MET, NOT_MET

REPORT: Final = "report.md"
BINARY_MB_S: Final = 20.0
CORES_MAX: Final = 0.5
QUICK_ROUNDS, FULL_ROUNDS = 3, 10


def run_hardware(out: Path, *, full: bool) -> Path:
    """Measure and write `report.md` into `out`.

    Returns:
        The report's path.
    """
    begin_s = time.monotonic()
    rounds = FULL_ROUNDS if full else QUICK_ROUNDS
    measured, gateway = measure_decoding(rounds=rounds), measure_gateway(rounds=rounds)
    out.mkdir(parents=True, exist_ok=True)
    report = out / REPORT
    report.write_text(_report(measured, gateway, full=full, took_s=time.monotonic() - begin_s))
    return report


def _report(measured: list[Decoding], gateway: GatewayNeeds, *, full: bool, took_s: float) -> str:
    command = f"cuebird bench hardware{' --full' if full else ''}"
    lines = [
        f"# Hardware, {'full' if full else 'quick'} run",
        "",
        f"`{command}` of {commit_name()}. {machine_name()}. Load average at the end {load_average()}."
        f" It took {took_s / 60:.1f} min.",
        "",
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
        verdict = _verdict(one)
        lines.append(
            f"| {one.name} | {one.megabytes_s:.2f} | {one.frame_us:.1f} | {one.decode_s / max(one.floor_s, 1e-6):.0f}×"
            f" | {one.cores:.2f} | {full_line} | {verdict} |"
        )
    return "\n".join([*lines, *gateway.lines()]) + "\n"


def _verdict(one: Decoding) -> str:
    if one.megabytes_s >= BINARY_MB_S or max(one.cores, one.cores_full_line or 0.0) <= CORES_MAX:
        return MET
    return f"{MET} at their pace" if one.cores <= CORES_MAX else NOT_MET
