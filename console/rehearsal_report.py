"""What a rehearsal showed, firing by firing and cue by cue: for the terminal, for programs, for a spreadsheet."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from schedules.table import neutral
from sync.receipts import FiringRecord
from sync.replaying import Rehearsal
from sync.states import FiringState

COLUMNS = (
    *("on_air_utc", "occurrence_id", "cue_id", "account_id", "action", "would_fire", "state", "guard", "reason", "text"),
    *("heard_ms", "decided_ms", "claimed_ms"),
)
"""Of the CSV file; the instants in milliseconds after on air."""
_TEXT = 60


def as_facts(rehearsal: Rehearsal) -> dict[str, Any]:
    """The whole report as one JSON object."""
    firings = [_facts(record) for record in rehearsal.firings]
    return {
        "signals": rehearsal.signals,
        "would_fire": sum(one["would_fire"] for one in firings),
        "would_not_fire": sum(not one["would_fire"] for one in firings),
        "guards": dict(Counter(one["guard"] or one["state"] for one in firings if not one["would_fire"])),
        "cues": [_cue_facts(rehearsal, one.cue.cue_id, one.hold_reason, approved=one.approved) for one in rehearsal.cues],
        "firings": firings,
        "alarms": [{"utc": one.utc.isoformat(), "level": one.level, "text": one.text} for one in rehearsal.alarms],
    }


def write_csv(rehearsal: Rehearsal, path: Path) -> None:
    """One row a firing.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for record in rehearsal.firings:
            writer.writerow({name: _cell(value) for name, value in _facts(record).items()})


def print_report(rehearsal: Rehearsal, terminal: Terminal) -> None:
    """Every firing, then every cue with what kept it from firing, then the sums."""
    facts = as_facts(rehearsal)
    if rehearsal.firings:
        terminal.print(_firings_table(facts["firings"]))
        terminal.print()
    terminal.print(_cues_table(facts["cues"]))
    for alarm in facts["alarms"]:
        terminal.print(f"[yellow]{alarm['level']}[/yellow] {escape(alarm['text'])}")
    guards = ", ".join(f"{count} by {guard}" for guard, count in facts["guards"].items())
    told = f"{facts['signals']} signals: {facts['would_fire']} would have fired, {facts['would_not_fire']} not"
    terminal.print(f"\n[bold]{told}[/bold]{f' ({guards})' if guards else ''}. Rehearsed: nothing left this machine.")


def _facts(record: FiringRecord) -> dict[str, Any]:
    steps = record.steps_ms()
    return {
        "on_air_utc": record.on_air_utc.isoformat(timespec="milliseconds") if record.on_air_utc else None,
        "occurrence_id": record.occurrence_id,
        "cue_id": record.cue_id,
        "account_id": record.account_id,
        "action": record.action.value,
        "would_fire": record.state is FiringState.POSTED,
        "state": record.state.value,
        "guard": record.guard,
        "reason": record.reason,
        "text": record.text,
        **{f"{step}_ms": steps.get(step) for step in ("heard", "decided", "claimed")},
    }


def _cue_facts(rehearsal: Rehearsal, cue_id: str, hold_reason: str, *, approved: bool) -> dict[str, Any]:
    mine = [record for record in rehearsal.firings if record.cue_id == cue_id]
    kept = [record for record in mine if record.state is not FiringState.POSTED]
    return {
        "cue_id": cue_id,
        "matched": len(mine),
        "would_fire": len(mine) - len(kept),
        "kept_by": dict(Counter(record.guard or record.state.value for record in kept)),
        "approved_at_the_end": approved,
        "held_at_the_end": hold_reason,
    }


def _firings_table(firings: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("on air (UTC)", "cue", "account", "what would have happened", "heard", "claimed"):
        table.add_column(title, overflow="fold", justify="right" if title in ("heard", "claimed") else "left")
    for one in firings:
        table.add_row(
            (one["on_air_utc"] or "")[:23].replace("T", " "),
            escape(one["cue_id"]),
            escape(one["account_id"]),
            _happened(one),
            *(f"+{one[step]:.0f} ms" if one[step] is not None else "" for step in ("heard_ms", "claimed_ms")),
        )
    return table


def _happened(one: dict[str, Any]) -> str:
    if one["would_fire"]:
        verb = {"post": "fires", "delete": "deletes its tweet", "correct": "corrects"}[one["action"]]
        return f"[green]{verb}[/green] {escape(one['text'])}"
    return f"[yellow]{escape(one['guard'] or one['state'])}[/yellow] {escape(one['reason'])}"


def _cues_table(cues: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("cue", "matched", "would fire", "kept from it by"):
        table.add_column(title, overflow="fold", justify="right" if title in ("matched", "would fire") else "left")
    for one in cues:
        kept = ", ".join(f"{guard} {count}" for guard, count in one["kept_by"].items())
        table.add_row(
            escape(one["cue_id"]),
            str(one["matched"]),
            str(one["would_fire"]),
            kept or ("" if one["matched"] else "no signal matched it"),
        )
    return table


def _cell(value: object) -> object:
    """A value that a spreadsheet takes for text, not for a formula."""
    return neutral(value) if isinstance(value, str) else value
