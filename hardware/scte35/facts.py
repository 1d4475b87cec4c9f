"""A message as plain facts for programs, and as rows for people. Pure."""

from collections.abc import Iterator
from typing import Any

from hardware.scte35.message import SEGMENTATION_TYPES, TICKS_PER_S, Segmentation, Splice, SpliceMessage, Upid


def facts_of(message: SpliceMessage) -> dict[str, Any]:
    """A message as JSON holds it; what it does not tell is null or left out."""
    facts: dict[str, Any] = {"command": message.command.value, "pts_adjustment": message.pts_adjustment, "tier": message.tier}
    if message.encrypted:
        facts["encrypted"] = True
    if message.splice is not None:
        facts["splice"] = _splice_facts(message.splice)
    if message.command == "time_signal" and not message.encrypted:
        facts["pts"] = message.signal_pts
    facts["segmentations"] = [_segmentation_facts(one) for one in message.segmentations]
    if message.avail_ids:
        facts["avail_ids"] = list(message.avail_ids)
    if message.faults:
        facts["faults"] = list(message.faults)
    facts["section"] = message.section.hex()
    return facts


def rows_of(message: SpliceMessage) -> Iterator[tuple[str, str, str, str, str]]:
    """Each thing a message says: event, what happens, its instant in seconds, how long it lasts, and what it is."""
    if message.encrypted:
        yield "", f"{message.command} (encrypted)", "", "", ""
    elif message.splice is not None:
        yield _splice_row(message.splice)
    elif not message.segmentations:
        yield "", message.command.value, _seconds(message.signal_pts), "", "; ".join(message.faults)
    if message.encrypted:
        return
    for one in message.segmentations:
        instant = message.splice.splice_pts if message.splice is not None else message.signal_pts
        yield _segmentation_row(one, instant)


def type_name(type_id: int) -> str:
    """What a segmentation type is called."""
    return SEGMENTATION_TYPES.get(type_id, f"type {type_id:02X}")


def _splice_facts(splice: Splice) -> dict[str, Any]:
    if splice.canceled:
        return {"event_id": splice.event_id, "canceled": True}
    return {
        "event_id": splice.event_id,
        "canceled": False,
        "out": splice.out,
        "immediate": splice.immediate,
        "pts": splice.splice_pts,
        "duration_ticks": splice.duration_ticks,
        "auto_return": splice.auto_return,
        "unique_program_id": splice.unique_program_id,
        "avail_number": splice.avail_number,
        "avails_expected": splice.avails_expected,
    }


def _segmentation_facts(one: Segmentation) -> dict[str, Any]:
    if one.canceled:
        return {"event_id": one.event_id, "canceled": True}
    return {
        "event_id": one.event_id,
        "canceled": False,
        "type_id": one.type_id,
        "type": type_name(one.type_id),
        "duration_ticks": one.duration_ticks,
        "segment_number": one.segment_number,
        "segments_expected": one.segments_expected,
        "upids": [_upid_facts(upid) for upid in one.upids],
    }


def _upid_facts(upid: Upid) -> dict[str, str]:
    facts = {"kind": upid.kind, "text": upid.text}
    return {**facts, "format_id": upid.format_id} if upid.format_id else facts


def _splice_row(splice: Splice) -> tuple[str, str, str, str, str]:
    if splice.canceled:
        return str(splice.event_id), "splice canceled", "", "", ""
    what = "break begins" if splice.out else "break ends"
    counted = f"avail {splice.avail_number} of {splice.avails_expected}" if splice.avails_expected else ""
    instant = "at once" if splice.immediate or splice.splice_pts is None else _seconds(splice.splice_pts)
    return str(splice.event_id), what, instant, _seconds(splice.duration_ticks), counted


def _segmentation_row(one: Segmentation, instant: int | None) -> tuple[str, str, str, str, str]:
    if one.canceled:
        return str(one.event_id), "segmentation canceled", "", "", ""
    counted = f"{one.segment_number} of {one.segments_expected}" if one.segments_expected else ""
    upids = " ".join(f"{upid.kind}={upid.format_id + ':' if upid.format_id else ''}{upid.text}" for upid in one.upids)
    when = "at once" if instant is None else _seconds(instant)
    return str(one.event_id), type_name(one.type_id), when, _seconds(one.duration_ticks), f"{counted} {upids}".strip()


def _seconds(ticks: int | None) -> str:
    return "" if ticks is None else f"{ticks / TICKS_PER_S:.3f}"
