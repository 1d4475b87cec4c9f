"""The report of a listening run, as Markdown with plots."""

import random
import subprocess
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import plots
from bench.corpus import HEAD_S, HEAD_SPEEDS, Corpus, programme_piece
from bench.costs import Costs, measure_costs
from bench.degradations import CONDITIONS, Condition
from bench.impostor_sound import IMPOSTOR_SPEEDS
from bench.machine import commit_name, machine_name
from bench.matching import needed_nats
from bench.measuring import BESIDE_TIMES, GOES_ON, ONE_RECORDING, SAME_RECORDING, reference
from bench.setting import Setting
from bench.tail import Tail, at_most, fit_tail, median_between, rate_a_year, threshold_for
from fingerprints.calibration import COUNT_LEAST, FLOOR_NATS, Calibration, calibrate
from fingerprints.heads import Heads

REPORT: Final = "report.md"
COST_SOUND_S: Final = 12.0
TAIL_COUNT: Final = 400
"""Coincidences a tail is fitted to, at most."""
REPEATED_NATS: Final = 12.0
"""Below this no coincidence is asked whether it is a repetition."""
WRONG_HOURS: Final = 24.0
"""Of programme without spots, that are to pass without a decision."""
MET, NOT_MET, NOT_MEASURED, TOO_SHORT = "met", "**not met**", "not measured", "this run is too short to tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One condition, all batches together.

    Attributes:
        condition: what was done to the sound.
        delays_ms: sorted; infinity where not heard in time.
        late: how many of these the whole-spot index heard.
        bounds_ms: the information bound of each airing that has one.
        others: decisions for spots that were not on air.
        whole_library: whether the whole library was listening, or only the aired spots at its threshold.
        speeds: the playback rates the listener was told to expect.
    """

    condition: Condition
    delays_ms: list[float]
    late: int
    bounds_ms: list[float]
    others: list[tuple[float, float, float, bool]]
    whole_library: bool
    speeds: list[float]

    @property
    def missed(self) -> int:
        """Airings that were not heard at all."""
        return sum(1 for delay_ms in self.delays_ms if delay_ms == float("inf")) - self.late

    def at(self, percent: float) -> float:
        """Nearest rank; missed airings count as infinitely late."""
        return self.delays_ms[min(len(self.delays_ms) - 1, int(len(self.delays_ms) * percent / 100))]


def rows_of(results: dict[str, Any]) -> list[Row]:
    """The results of every condition that was measured, in the conditions' order."""
    rows: list[Row] = []
    for condition in CONDITIONS:
        mine = {name: value for name, value in results.items() if name.startswith(f"condition {condition.name} ")}
        if not mine:
            continue
        delays_ms = [float("inf") if ms is None else float(ms) for value in mine.values() for ms in value["delays_ms"]]
        rows.append(
            Row(
                condition=condition,
                delays_ms=sorted(delays_ms),
                late=sum(sum(value["late"]) for value in mine.values()),
                bounds_ms=[ms for value in mine.values() for ms in value["bounds_ms"] if ms is not None],
                others=[tuple(other) for value in mine.values() for other in value["others"]],
                whole_library=any(name.endswith(" True") for name in mine),
                speeds=next((list(value["speeds"]) for value in mine.values()), [1.0]),
            )
        )
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Impostors:
    """What was heard in sound without spots.

    Attributes:
        scores: best score of each coincidence that is no repetition of a recording.
        repeated: those that are: (score, why, where, spot).
        wrong: places at or above the threshold: (score, of bits alone, where, spot or the music it is between).
        sound_hours: of programme, no piece of it twice.
        feed_hours: the same, weighed by the share of the library it was played against.
        threshold: nats.
        tail: the fit, None when there are too few coincidences.
        calibration: what a threshold would be made from, likewise.
    """

    scores: list[float]
    repeated: list[tuple[float, str, str, str]]
    wrong: list[tuple[float, float, str, str]]
    sound_hours: float
    feed_hours: float
    threshold: float
    tail: Tail | None
    calibration: Calibration | None


def impostors_of(results: dict[str, Any], *, n_impostor: int, n_library: int) -> Impostors:
    """All pieces of sound without spots together."""
    pieces = [value for name, value in results.items() if name.startswith("impostors ")]
    scores: list[float] = []
    repeated: list[tuple[float, str, str, str]] = []
    wrong: list[tuple[float, float, str, str]] = []
    threshold = max((piece["threshold"] for piece in pieces), default=0.0)
    # Two pieces of music that were found to share a recording share it, or another, elsewhere too.
    sharing = {between for piece in pieces for *_, why, between in piece["impostors"] if why in {GOES_ON, ONE_RECORDING}} - {""}
    for piece in pieces:
        for score, _, spot_id, bits, reason, between in piece["impostors"]:
            why = reason or (f"{between} share recordings" if between in sharing else "")
            # Below the threshold a piece of music counts against its own bars too: the tail is to be no better than it is.
            if why and score >= REPEATED_NATS:
                repeated.append((score, why, piece["label"], spot_id))
                continue
            scores.append(score)
            if score >= threshold:
                wrong.append((score, bits, piece["label"], between or spot_id))
    sound_hours = sum(piece["hours"] for piece in pieces)
    feed_hours = sound_hours * n_impostor / n_library
    # What would have been decided is told by name; how chance alone falls off is asked of the rest.
    chance = [score for score in scores if score < threshold]
    return Impostors(
        scores=scores, repeated=repeated, wrong=wrong, sound_hours=sound_hours, feed_hours=feed_hours, threshold=threshold,
        tail=fit_tail(chance, floor=_fit_floor(chance), hours=feed_hours),
        calibration=calibrate(chance, spot_hours=sound_hours * n_impostor, source="the benchmark's music and speech")
        if sum(score >= FLOOR_NATS for score in chance) >= COUNT_LEAST else None,
    )  # fmt: skip


def _fit_floor(scores: list[float]) -> float:
    """Where the tail begins: above the body of the scores, below the last few hundred."""
    ordered = sorted(scores, reverse=True)
    return max(FLOOR_NATS, ordered[TAIL_COUNT]) if len(ordered) > TAIL_COUNT else FLOOR_NATS


def write_report(
    setting: Setting,
    corpus: Corpus,
    results: dict[str, Any],
    *,
    out: Path,
    n_impostor: int,
    heads: Heads,
    features_pace: float,
    took_s: float,
) -> Path:
    """Write `report.md` and its plots.

    Returns:
        The report's path.
    """
    rows = rows_of(results)
    impostors = impostors_of(results, n_impostor=n_impostor, n_library=setting.n_library)
    programme = reference(programme_piece(corpus, random.Random(setting.seed), seconds=COST_SOUND_S))
    costs = measure_costs(heads, programme, features_pace=features_pace)
    out.mkdir(parents=True, exist_ok=True)
    plots.draw_delays(out / "delays.png", [(row.condition.name, row.delays_ms) for row in rows if row.condition.headline])
    plots.draw_recall(out / "recall.png", [(row.condition.name, row.missed, len(row.delays_ms)) for row in rows])
    plots.draw_tail(out / "impostors.png", impostors.scores, impostors.tail, threshold=impostors.threshold)
    plots.draw_costs(out / "cost.png", costs.feeds_a_core)
    lines = [
        *_head(setting, took_s),
        *_verdicts(rows, impostors, costs),
        *_conditions(rows, setting),
        *_peers(results["peers"]),
        *_impostors(impostors, setting, n_impostor),
        *_costs(costs),
        *_corpus(setting, corpus),
    ]
    path = out / REPORT
    path.write_text("\n".join(lines) + "\n")
    return path


def _head(setting: Setting, took_s: float) -> list[str]:
    ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scipy", "av"))
    return [
        f"# Listening, {setting.name} run",
        "",
        f"`cuebird bench listening --{setting.name}`, seed {setting.seed}, of {commit_name()}."
        f" {machine_name()}, {packages}, ffmpeg {ffmpeg}. This run took {took_s / 60:.1f} min;"
        " what it took over from an interrupted run is not counted.",
        "",
    ]


def _verdicts(rows: list[Row], impostors: Impostors, costs: Costs) -> list[str]:
    lines = ["## Figures", "", "| what | target | measured | verdict |", "|---|---|---|---|"]
    for row in rows:
        condition = row.condition
        if condition.median_ms is not None:
            low, _ = median_between(row.delays_ms)
            lines.append(_row(f"median, {condition.name}", f"≤ {condition.median_ms:.0f} ms", f"{_ms(row.at(50))} ms",
                              _verdict(row.at(50) <= condition.median_ms, low <= condition.median_ms)))  # fmt: skip
        if condition.p99_ms is not None:
            lines.append(_row(f"p99, {condition.name}", f"≤ {condition.p99_ms:.0f} ms", f"{_ms(row.at(99))} ms",
                              row.at(99) <= condition.p99_ms))  # fmt: skip
    asked = [row for row in rows if row.condition.recall == 0.999 and row.condition.voice_over_db is None]
    lines.append(_heard_row("spots heard, all conditions together", asked, 0.999))
    lines += [_heard_row(f"spots heard, {row.condition.name}", [row], 0.999, among=len(asked)) for row in asked if row.missed]
    lines += [_heard_row(row.condition.name, [row], 0.99) for row in rows if row.condition.late]
    enough = impostors.feed_hours >= WRONG_HOURS
    lines.append(_row("false decisions in related sound", f"0 in ≥ {WRONG_HOURS:.0f} h",
                      f"{len(impostors.wrong)} in {impostors.feed_hours:.2f} feed-hours at the whole library",
                      MET if enough and not impostors.wrong else NOT_MET if impostors.wrong else TOO_SHORT))  # fmt: skip
    if impostors.tail is None:
        lines.append(f"| false decisions a feed-year, extrapolated | ≤ 1 | fewer than 20 coincidences | {NOT_MEASURED} |")
    else:
        by_line, by_pareto, low, high = rate_a_year(impostors.tail, impostors.threshold)
        lines.append(_row("false decisions a feed-year, extrapolated", "≤ 1",
                          f"{by_line:.1e} (exponential), {by_pareto:.1e} (Pareto; 95 %: {low:.1e} to {high:.1e})",
                          by_line <= 1))  # fmt: skip
    lines += [_row(*verdict) for verdict in costs.verdicts]
    return [*lines, ""]


def _heard_row(what: str, rows: list[Row], target: float, *, among: int = 1) -> str:
    airings, missed = sum(len(row.delays_ms) for row in rows), sum(row.missed for row in rows)
    low, high = at_most(missed, airings, among=among)
    return _row(what, f"≥ {100 * target:g} %",
                f"{airings - missed} of {airings} = {1 - missed / airings:.2%} (95 %: {low:.2%} to {high:.2%})",
                _verdict(1 - missed / airings >= target, high >= target))  # fmt: skip


def _verdict(met: bool, possible: bool) -> str:
    """What a figure shows: one that misses its target by no more than chance may is not told apart from one that meets it."""
    return MET if met else TOO_SHORT if possible else NOT_MET


def _row(what: str, target: str, measured: str, verdict: bool | str) -> str:
    if isinstance(verdict, bool):
        verdict = MET if verdict else NOT_MET
    return f"| {what} | {target} | {measured} | {verdict} |"


def _ms(value: float) -> str:
    return "never" if value == float("inf") else f"{value:.0f}"


def _conditions(rows: list[Row], setting: Setting) -> list[str]:
    need = needed_nats(n_library=setting.n_library)
    lines = [
        "## Time to decision and recall",
        "",
        "From the first audible sample that was aired to the last sample the decision needed, codec delay taken off; what is not"
        " decided by its head counts as infinitely late. *Late*: heard by the index of whole spots alone, within"
        f" two seconds or so; that is reported, and never fires. Each airing carries {setting.aired_s} s of its spot."
        " *Bound*: the evidence one false"
        f" decision a feed-year needs ({need:.1f} nats for {setting.n_library:,} spots), divided by the mean evidence a frame of"
        " that airing carries, in milliseconds; *ratio*: median of the decisions to median of the bounds."
        " Neighbouring frames share"
        " most of their samples, so the bound counts some evidence more than once and nothing can quite reach it.",
        "",
        "| through | heard | of these late | p50 | p90 | p99 | max | bound | ratio | decided elsewhere | same recording"
        " | listening |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        heard = len(row.delays_ms) - row.missed
        bound = float(np.median(row.bounds_ms)) if row.bounds_ms else float("inf")
        ratio = f"{row.at(50) / bound:.2f}" if np.isfinite(row.at(50)) and np.isfinite(bound) else "–"
        shown_bound = _ms(bound) if np.isfinite(bound) else "–"
        repeated = sum(correlation >= SAME_RECORDING or same_track for *_, correlation, same_track in row.others)
        latest = max((ms for ms in row.delays_ms if np.isfinite(ms)), default=float("inf"))
        listening = f"{setting.n_library:,} spots" if row.whole_library else "the aired spots"
        lines.append(
            f"| {row.condition.name} | {heard}/{len(row.delays_ms)} | {row.late}"
            f" | {_ms(row.at(50))} | {_ms(row.at(90))} | {_ms(row.at(99))}"
            f" | {_ms(latest)} | {shown_bound} | {ratio} | {len(row.others)} | {repeated} | {listening} |"
        )
    return [
        *lines,
        "",
        "*Decided elsewhere*: decisions for a spot of the library that is not on air there; *same recording*: its waveform and"
        f" the stream's correlate by {SAME_RECORDING} or more at that place, or it was cut from the very track that is on"
        " air there: game music repeats its bars, and heads of the library are cut from the same tracks.",
        "",
        "Where only the aired spots were listening, their threshold was that of the whole library; hypotheses of"
        " different spots touch each other only where a cap on the matcher's work is reached.",
        "",
        "![Distribution of the time to decision](delays.png)",
        "",
        "![Recall by degradation](recall.png)",
        "",
    ]


def _peers(peers: dict[str, list[float | None]]) -> list[str]:
    names = {
        "ours": "Cuebird, at the threshold of the whole library",
        "chromaprint": "chromaprint (`fpcalc`), exhaustive matching of 4 items, only the aired spots in its library",
        "landmarks": "landmarks as published in 2003, votes of 3 s, only the aired spots in its library",
    }
    lines = [
        "## Others on the same airings",
        "",
        "Whole spots (10 s) through the broadcast chain. The others' thresholds lie just above what ten minutes of programme"
        " without spots reaches, which flatters them: nobody knows that beforehand, and it promises nothing for a year.",
        "",
        "| method | heard | p50, s | p90, s | max, s |",
        "|---|---|---|---|---|",
    ]
    for key, name in names.items():
        delays = sorted(ms / 1000 for ms in peers[key] if ms is not None)
        all_delays = delays + [float("inf")] * (len(peers[key]) - len(delays))
        p50, p90 = (all_delays[min(len(all_delays) - 1, int(len(all_delays) * share))] for share in (0.5, 0.9))
        lines.append(
            f"| {name} | {len(delays)}/{len(peers[key])} | {_seconds(p50)} | {_seconds(p90)} |"
            f" {_seconds(delays[-1] if delays else float('inf'))} |"
        )
    return [*lines, ""]


def _seconds(value: float) -> str:
    return "never" if value == float("inf") else f"{value:.2f}"


def _impostors(impostors: Impostors, setting: Setting, n_impostor: int) -> list[str]:
    tail = impostors.tail
    lines = [
        "## Impostors",
        "",
        f"{impostors.sound_hours:.2f} h of programme without spots, no piece of it twice and half of it through the broadcast"
        " chain: other cuts of the"
        " spots' own music, other lines of their voices, other music and voices, tones, silence, hum, applause. When the"
        " recordings are used up they are played at another speed, which no matcher takes for the same"
        f" ({', '.join(f'{speed:g}' for speed in IMPOSTOR_SPEEDS)}; heads of the library have the first ones). It was played"
        f" against {n_impostor:,} of {setting.n_library:,} spots at a time, as the time allowed: {impostors.feed_hours:.2f}"
        f" feed-hours of the whole library. The threshold was {impostors.threshold:.1f} nats. A coincidence is counted"
        " with the best score its hypothesis reached before it died.",
        "",
    ]
    if tail is not None:
        lines += [
            f"Of those that would not have been decided {tail.count} came above {tail.floor:.1f} nats; the highest reached"
            f" {tail.largest:.1f}. Exponential"
            f" tail: slope {tail.slope:.3f} a nat; generalised Pareto: shape {tail.shape:+.3f}, scale {tail.scale:.2f} nats. One"
            f" a feed-year at {setting.n_library:,} spots would be {threshold_for(tail, a_year=1.0):.1f} nats by the"
            " exponential.",
            "",
        ]
    if impostors.calibration is not None:
        made = impostors.calibration
        lines += [
            f"As a calibration (`fingerprints/calibration.py`): {made.count} coincidences above {FLOOR_NATS:.0f} nats in"
            f" {made.spot_hours:,.0f} spot-hours, slope {made.slope:.3f} ± {1.96 * made.slope / made.count**0.5:.3f} a nat,"
            f" largest {made.largest:.1f}.",
            "",
        ]
    decided = sum(score >= impostors.threshold for score, *_ in impostors.repeated)
    reasons = ", ".join(f"{why} ({count})" for why, count in Counter(why for _, why, *_ in impostors.repeated).most_common(8))
    lines += [
        f"{len(impostors.repeated)} further coincidences above {REPEATED_NATS:.0f} nats are the same recording used again"
        f"{': ' if reasons else ''}{reasons}. Game music repeats its bars and samples; two pieces are *one recording* where their"
        f" waveforms go on to correlate, {BESIDE_TIMES:.0f} times as much at that very lag as beside it, over 1.5 s that no"
        f" decision rests on. {decided} of them would have been decided:"
        " they are no errors of the threshold, since the sound is really there; only the plan's windows keep such a thing from"
        " firing. They are left out above.",
        "",
        "![Tail of impostor scores](impostors.png)",
        "",
    ]
    if impostors.wrong:
        lines += [
            "Would have been decided:",
            "",
            "| score | of bits alone | in | spot, or the music it is between |",
            "|---|---|---|---|",
        ]
        for score, bits, label, spot_id in sorted(impostors.wrong, reverse=True)[:20]:
            lines.append(f"| {score:.1f} | {bits:.1f} | {label} | {spot_id} |")
        lines.append("")
    return lines


def _costs(costs: Costs) -> list[str]:
    lines = ["## Cost", "", "| spots | live feeds a core | × real time, matching alone, in one piece |", "|---|---|---|"]
    lines += [f"| {n_spots:,} | {feeds:.0f} | {pace:.0f} |" for n_spots, feeds, pace in costs.table]
    return [*lines, "", *costs.notes, "", "![Cost by number of spots](cost.png)", ""]


def _corpus(setting: Setting, corpus: Corpus) -> list[str]:
    by_speed = {speed: sum(place.speed == speed for place in corpus.heads) for speed in HEAD_SPEEDS}
    spot_hours = sum(track.length_s for track in corpus.spot_tracks) / 3600
    programme_hours = sum(track.length_s for track in corpus.programme_tracks) / 3600
    return [
        "## The corpus",
        "",
        f"{spot_hours:.1f} h of music and speech belong to the spots, {programme_hours:.1f} h to the programme; no track"
        " to both. Music: wesnoth-1.16-music, warzone2100-music, hedgewars-data, fillets-ng-data; speech:"
        " fillets-ng-data-cs and -nl, the voices"
        " of hedgewars-data, espeak-ng in six languages. The first two thirds of each spots' track are cut into places that do"
        f" not overlap: {setting.n_spots} spots of 10 s (two fifths music, two fifths voice over music 6 dB below it, one"
        f" fifth speech), and heads of {HEAD_S} s one after the other in what is left. The last third is the related sound among"
        " the impostors. When the material is used up, the same places are cut again at another speed: "
        + ", ".join(f"{count:,} heads at speed {speed}" for speed, count in by_speed.items() if count)
        + f", of which the first usable {setting.n_library - setting.n_spots:,} fill the library. Spots are hard cuts into"
        " programme at the same level (RMS), except where the condition says otherwise.",
    ]
