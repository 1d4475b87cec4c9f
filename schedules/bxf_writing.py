"""What was heard as a BXF as-run message (SMPTE ST 2021), which traffic systems and our own reader take. Pure.

Broadcast date and timecode are the channel's: the timecode is the wall clock, so that of the small hours belongs to the following
morning (`--small-hours next`). A time that the clock change repeats is written in UTC.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from xml.etree import ElementTree

from schedules.as_run import Line
from schedules.delivery import Calendar

NAMESPACE = "http://smpte-ra.org/schemas/2021/2008/BXF"
FRAME_RATE = 25
_FULL, _CUT = "Aired Without Discrepancy", "Aired With Discrepancy"
_OURS = uuid.UUID("4a1f8f0e-6c1b-5d0e-9d2b-cb0b1ddc0e01")
"""Our own namespace of UUIDs: the same broadcast has the same id in every report."""


def as_bxf(lines: Iterable[Line], calendar: Calendar, *, made_utc: datetime) -> bytes:
    """The message: each broadcast that was heard, by channel and in order of time."""
    heard = defaultdict[str, list[Line]](list)
    for line in lines:
        if line.heard:
            heard[line.channel].append(line)
    stamp = f"{made_utc:%Y-%m-%dT%H:%M:%S}Z"
    names = {"id": _urn(f"message {stamp}"), "dateTime": stamp, "messageType": "Information"}
    root = ElementTree.Element("BxfMessage", {"xmlns": NAMESPACE, **names, "origin": "Cuebird", "originType": "As-run"})
    data = ElementTree.SubElement(root, "BxfData", {"action": "add"})
    for channel, of_channel in sorted(heard.items()):
        schedule = ElementTree.SubElement(data, "Schedule", {"type": "Primary"})
        ElementTree.SubElement(schedule, "Channel", {"shortName": channel})
        for line in sorted(of_channel, key=lambda one: (one.began_utc or one.at_utc, one.spot_id)):
            _add_line(ElementTree.SubElement(schedule, "AsRun"), line, calendar)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def _add_line(as_run: ElementTree.Element, line: Line, calendar: Calendar) -> None:
    basic = ElementTree.SubElement(as_run, "BasicAsRun")
    _texts(basic, ("AsRunEventId", "EventId"), _urn(f"detection {line.heard[0].detection_id}"))
    content = ElementTree.SubElement(basic, "Content")
    spot_id = line.heard[0].spot_id
    _texts(content, ("ContentId", "HouseNumber"), spot_id)
    _texts(content, ("Name",), spot_id)
    detail = ElementTree.SubElement(basic, "AsRunDetail")
    is_whole = line.heard[0].cut_s is None and not line.heard[0].is_joined_late
    _texts(detail, ("Status",), _FULL if is_whole else _CUT)
    _texts(detail, ("Type",), "Primary")
    assert line.began_utc is not None  # it was heard
    _add_start(ElementTree.SubElement(detail, "StartDateTime"), line.channel, line.began_utc, calendar)
    if (aired_s := line.heard[0].aired_s) is not None:
        duration = ElementTree.SubElement(
            ElementTree.SubElement(detail, "Duration"), "SmpteDuration", {"frameRate": str(FRAME_RATE)}
        )
        _texts(duration, ("SmpteTimeCode",), _timecode(timedelta(seconds=aired_s)))


def _add_start(start: ElementTree.Element, channel: str, began_utc: datetime, calendar: Calendar) -> None:
    local = calendar.local(channel, began_utc)
    if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
        _texts(start, ("UtcDateTime",), f"{began_utc:%Y-%m-%dT%H:%M:%S}Z")
        return
    day = {"broadcastDate": calendar.day(channel, began_utc).isoformat(), "frameRate": str(FRAME_RATE)}
    since_midnight = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    _texts(ElementTree.SubElement(start, "SmpteDateTime", day), ("SmpteTimeCode",), _timecode(since_midnight))


def _timecode(span: timedelta) -> str:
    frames = span * FRAME_RATE // timedelta(seconds=1)
    seconds, frame = divmod(frames, FRAME_RATE)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frame:02}"


def _texts(parent: ElementTree.Element, path: tuple[str, ...], text: str) -> None:
    for name in path:
        parent = ElementTree.SubElement(parent, name)
    parent.text = "".join(letter for letter in text if letter.isprintable())


def _urn(name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_OURS, name)}"
