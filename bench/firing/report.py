"""The report of a firing run, as Markdown with plots."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.firing import plots, ways
from bench.firing.delays import DELAY_MS, Delays
from bench.firing.measuring import (
    BURST_ACCOUNTS,
    BURST_CUES,
    FLOOD_RATE,
    SUSTAINED_RATE,
    Burst,
    Growth,
    Kills,
    Shots,
    Sustained,
)
from bench.firing.setting import FiringSetting
from bench.machine import commit_name, load_average, machine_name
from bench.report import MET, NOT_MEASURED, NOT_MET

REPORT: Final = "report.md"
BURST_MS, KILL_MS, TIMER_MS = 60.0, 50.0, 2.0
GROWTH_MIB = 10.0
COST_UNCHANGED = 1.25
"""A claim in the full ledger may cost this much of one in the small ledger, both over the bare commit of their time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything of one run."""

    shots: Shots
    delays: Delays
    bursts: list[Burst]
    kills: Kills
    sustained: Sustained
    growth: Growth


def write_report(setting: FiringSetting, measured: Measured, *, out: Path, took_s: float, remark: str) -> Path:
    """Write `report.md` and its plots.

    Returns:
        The report's path.
    """
    out.mkdir(parents=True, exist_ok=True)
    growth = measured.growth
    plots.draw_ways(out / "firing-ways.png", measured.shots.ways)
    plots.draw_bursts(out / "firing-bursts.png", [burst.wire_ms for burst in measured.bursts], target_ms=BURST_MS)
    plots.draw_memory(out / "firing-memory.png", measured.sustained.memory)
    medians = [percentile(values, 50) for values in growth.claim_ms], [percentile(values, 50) for values in growth.commit_ms]
    plots.draw_growth(out / "firing-growth.png", growth.sizes, *medians)
    lines = [
        *_head(setting, took_s, remark),
        *_figures(setting, measured),
        *_ways(measured.shots),
        *_delays(measured.delays),
        *_bursts(measured.bursts),
        *_kills(measured.kills),
        *_sustained(measured.sustained),
        *_growth(growth),
    ]
    path = out / REPORT
    path.write_text("\n".join(lines) + "\n")
    return path


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _head(setting: FiringSetting, took_s: float, remark: str) -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("tweepy", "aiohttp", "aiomqtt", "sqlalchemy"))
    return [
        f"# Firing, {setting.name} run",
        "",
        f"`cuebird bench firing --{setting.name}` of {commit_name()}. {machine_name()},"
        f" {packages}, {ssl.OPENSSL_VERSION}. Loopback: the sandbox, the engine and what asks it are processes of their own."
        f" Load average at the end {load_average()}. It took {took_s / 60:.1f} min. {remark}".rstrip(),
        "",
    ]


def _figures(setting: FiringSetting, measured: Measured) -> list[str]:
    shots, kills, sustained, growth = measured.shots.ways, measured.kills, measured.sustained, measured.growth
    lines = ["## Figures", "", "| what | target | measured | verdict |", "|---|---|---|---|"]
    floor, ours = shots[ways.FLOOR], shots[ways.OURS]
    lines += _against("decided → first byte", ours, percentile(floor, 50), p50_ms=1.2, p99_ms=5.0, ratio=2.0)
    if ways.OURS_MQTT in shots:
        mqtt_floor = percentile(shots[ways.ROUND_TRIP], 50) + percentile(floor, 50)
        lines += _against("signed event → first byte", shots[ways.OURS_MQTT], mqtt_floor, p50_ms=2.0, p99_ms=8.0, ratio=2.5)
    else:
        lines.append(f"| signed event → first byte | ≤ 2 ms | mosquitto is not installed | {NOT_MEASURED} |")
    lines.append(_row("an idle engine's timer, late at p99", f"≤ {TIMER_MS:g} ms", f"{measured.delays.p99_ms:.2f} ms",
                      measured.delays.p99_ms <= TIMER_MS))  # fmt: skip
    last_ms = sorted(burst.wire_ms[-1] for burst in measured.bursts)
    lost, late = sum(burst.lost for burst in measured.bursts), sum(burst.late for burst in measured.bursts)
    n_cues = BURST_ACCOUNTS * BURST_CUES
    lines.append(_row(f"{n_cues} cues in one instant: the last on the wire", f"≤ {BURST_MS:.0f} ms",
                      f"median {percentile(last_ms, 50):.1f} ms, least {last_ms[0]:.1f}, most {last_ms[-1]:.1f}",
                      percentile(last_ms, 50) <= BURST_MS))  # fmt: skip
    lines.append(_row("none of them late or lost", "0", f"{late} late, {lost} lost", late + lost == 0))
    unfair = max(burst.unfair for burst in measured.bursts)
    lines.append(_row("accounts take turns", f"within {BURST_ACCOUNTS} places", f"{unfair} places out of turn at most",
                      unfair <= BURST_ACCOUNTS))  # fmt: skip
    lines.append(_row("kill asked → acknowledged, in a flood", f"≤ {KILL_MS:.0f} ms",
                      f"p50 {percentile(kills.answered_ms, 50):.1f} ms, max {kills.answered_ms[-1]:.1f} ms",
                      kills.answered_ms[-1] <= KILL_MS))  # fmt: skip
    lines.append(_row("POSTs begun after a kill was acknowledged", "0", f"{kills.posts_after} in {len(kills.answered_ms)} kills",
                      kills.posts_after == 0))  # fmt: skip
    kept_up = sustained.claimed == sustained.asked and sustained.rate >= 0.98 * SUSTAINED_RATE
    lines.append(_row(f"sustained for {setting.seconds:.0f} s", f"{SUSTAINED_RATE} firings/s",
                      f"{sustained.claimed:,} of {sustained.asked:,} claimed, {sustained.rate:.0f}/s", kept_up))  # fmt: skip
    lines.append(_row("memory meanwhile", "flat", f"{sustained.growth_mib:+.1f} MiB after the first quarter",
                      sustained.growth_mib <= GROWTH_MIB))  # fmt: skip
    first, last = (_over_commit(growth, index) for index in (0, -1))
    lines.append(_row(f"a claim in a ledger of {growth.sizes[-1]:,} firings", "as in a small one",
                      f"{last:.2f}× a bare commit; {first:.2f}× with {growth.sizes[0]:,}",
                      last <= COST_UNCHANGED * first))  # fmt: skip
    return [*lines, ""]


def _against(what: str, values_us: Sequence[float], floor_us: float, *, p50_ms: float, p99_ms: float, ratio: float) -> list[str]:
    p50, p99 = percentile(values_us, 50), percentile(values_us, 99)
    return [
        _row(f"{what}, p50", f"≤ {p50_ms:g} ms", f"{p50 / 1000:.2f} ms", p50 <= p50_ms * 1000),
        _row(f"{what}, p99", f"≤ {p99_ms:g} ms", f"{p99 / 1000:.2f} ms", p99 <= p99_ms * 1000),
        _row(f"{what}, p50 over the floor's", f"≤ {ratio:g}×", f"{p50 / floor_us:.2f}×", p50 <= ratio * floor_us),
    ]


def _row(what: str, target: str, measured: str, met: bool) -> str:
    return f"| {what} | {target} | {measured} | {MET if met else NOT_MET} |"


def _over_commit(growth: Growth, index: int) -> float:
    return percentile(growth.claim_ms[index], 50) / percentile(growth.commit_ms[index], 50)


def _ways(shots: Shots) -> list[str]:
    floor = percentile(shots.ways[ways.FLOOR], 50)
    lines = [
        "## One tweet, half a second after the last",
        "",
        "Milliseconds from the order to the request's first byte at the server process, TLS; the ways take turns, so that all"
        " meet the same machine. Neither tweepy nor the script keeps a record of what it does; Cuebird's claim is on the disk"
        " before the byte leaves. The floor is one commit of one row that survives a power cut, and bytes made beforehand."
        " The floor of the MQTT way is that and paho's own round trip through the broker.",
        "",
        "| way | shots | least | p50 | p99 | max | p50 / floor |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, values in shots.ways.items():
        lines.append(f"| {name} | {_numbers(values)} | {percentile(values, 50) / floor:.2f} |")
    lines += ["", "Where Cuebird's go:", "", "| step | shots | least | p50 | p99 | max |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {_numbers(values)} |" for name, values in shots.steps.items()]
    lines += [
        "",
        "*Claimed* is read when the claim's transaction has the ledger for itself: the claim's statements and its commit",
    ]
    lines += ["lie between claimed and first byte.", "", "![Time to the first byte](firing-ways.png)", ""]
    return lines


def _numbers(values_us: Sequence[float]) -> str:
    found = (values_us[0], percentile(values_us, 50), percentile(values_us, 99), values_us[-1])
    return f"{len(values_us)} | " + " | ".join(f"{value / 1000:.2f}" for value in found)


def _delays(delays: Delays) -> list[str]:
    claimed = delays.claimed_ms
    return [
        "## After an audience delay",
        "",
        f"Spots whose cue waits {DELAY_MS} ms after the first audible sample, one at a time; nothing else happens. The timer, at"
        f" these firings and ten times a second in between, was late by p50 {delays.p50_ms:.2f} ms, p99 {delays.p99_ms:.2f} ms,"
        f" max {delays.max_ms:.2f} ms ({delays.waits} waits, the engine's own figures). {len(claimed)} firings were claimed"
        f" {percentile(claimed, 50):.2f} ms (p50), {percentile(claimed, 99):.2f} ms (p99), {claimed[-1]:.2f} ms (max) after they"
        " were due.",
        "",
    ]


def _bursts(bursts: Sequence[Burst]) -> list[str]:
    lines = [
        f"## {BURST_ACCOUNTS * BURST_CUES} cues in one instant",
        "",
        f"One detection that {BURST_CUES} cues of each of {BURST_ACCOUNTS} accounts wait for; milliseconds from deciding to the"
        " first byte, as the engine's process hands it to the connection. *Out of turn*: by how many places an account's n-th"
        " tweet left before or after the n-th of the others.",
        "",
        "| burst | first | p50 | last | lost | late | out of turn |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, burst in enumerate(bursts, start=1):
        first, middle, last = burst.wire_ms[0], percentile(burst.wire_ms, 50), burst.wire_ms[-1]
        lines.append(f"| {number} | {first:.1f} | {middle:.1f} | {last:.1f} | {burst.lost} | {burst.late} | {burst.unfair} |")
    return [*lines, "", "![Tweets on the wire](firing-bursts.png)", ""]


def _kills(kills: Kills) -> list[str]:
    answered = kills.answered_ms
    return [
        "## Kill",
        "",
        f"Over the control socket, while {FLOOD_RATE} goals a second are to be posted live, more than this machine posts. Asked →"
        f" acknowledged, {len(answered)} kills: least {answered[0]:.1f} ms, p50 {percentile(answered, 50):.1f} ms, max"
        f" {answered[-1]:.1f} ms. In the quarter of a second before a kill"
        f" {min(kills.posts_before)} to {max(kills.posts_before)} POSTs began; between the acknowledgement and the release"
        f" {kills.posts_after} did.",
        "",
    ]


def _sustained(sustained: Sustained) -> list[str]:
    claimed = sustained.claimed_ms
    return [
        "## At full rate",
        "",
        "Goals that fifty cues each wait for, in a rehearsal: decided, claimed, brought to rest, with every record in the ledger."
        f" {sustained.claimed:,} firings at {sustained.rate:.0f} a second; decided → claimed"
        f" p50 {percentile(claimed, 50):.1f} ms, p99 {percentile(claimed, 99):.1f} ms, max {claimed[-1]:.1f} ms."
        f" Memory {sustained.memory[0][1]:.0f} MiB at the beginning,"
        f" {sustained.memory[-1][1]:.0f} at the end.",
        "",
        "![Memory](firing-memory.png)",
        "",
    ]


def _growth(growth: Growth) -> list[str]:
    lines = [
        "## A ledger that grows",
        "",
        "Claims one at a time, each with its commit, taking turns with bare commits to a file beside it; milliseconds.",
        "",
        "| firings in the ledger | claim p50 | claim p99 | bare commit p50 | claim / commit |",
        "|---|---|---|---|---|",
    ]
    for index, (size, claim, commit) in enumerate(zip(growth.sizes, growth.claim_ms, growth.commit_ms, strict=True)):
        lines.append(f"| {size:,} | {percentile(claim, 50):.2f} | {percentile(claim, 99):.2f} | {percentile(commit, 50):.2f}"
                     f" | {_over_commit(growth, index):.2f} |")  # fmt: skip
    return [*lines, "", "![Claim cost by ledger size](firing-growth.png)", ""]
