"""What playout and traffic systems write as fixed lines of text: CCMS schedules and verifications, as-run logs. Pure.

Source: CCMS schedule format as in the manuals of Adtec adManage and MediaKind VPM (byte positions); SCTE 118-3 does the same job.
"""

import re
from collections.abc import Sequence

from schedules.cells import ROWS_MAX, Record, Sheet, about, sheet_of
from schedules.errors import PlanFileError
from schedules.plan import Problem, Severity

_CCMS_FIELDS = (
    *(("event_type", 0, 3), ("scheduled_date", 4, 8), ("scheduled_time", 9, 15), ("window_start", 16, 20)),
    *(("window_duration", 21, 25), ("break", 26, 29), ("position", 30, 33), ("scheduled_length", 34, 40)),
    *(("aired_time", 41, 47), ("aired_length", 48, 56), ("aired_position", 57, 60), ("spot_id", 61, 72), ("status", 73, 77)),
    *(("advertiser", 78, 110), ("spot_name", 111, 131)),
)
_CCMS_LETTERS_LEAST = 72
_CCMS_LINE = re.compile(r"(?:LOI|NUL|END|REM)(?: .*)?")
_CCMS_FIRST = re.compile(r"LOI [0-9]{4} [0-9]{6} [0-9]{4} [0-9]{4} .*")
_CCMS_NAME = re.compile(r"(?P<month>[1-9A-Ca-c])(?P<day>[0-9]{2})(?P<channel>[0-9A-Za-z]{2})[0-9]{3}\.(?:sch|ver)", re.IGNORECASE)
_ARL_LINE = re.compile(
    r"(?P<channel>[0-9]+)\s+(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[:;][0-9]{2})?)\s+"
    r"(?P<length>[0-9]{2}:[0-9]{2}:[0-9]{2}[:;][0-9]{2})\s+(?P<title>.*?)\s+(?P<status>(?:PLAYED|CLIPPED|SKIPPED|STOPPED)\b.*)"
)


def is_ccms(head: Sequence[str]) -> bool:
    """Whether a text begins as a CCMS schedule does."""
    lines = [line for line in head if line.strip()]
    return any(_CCMS_FIRST.match(line) for line in lines) and all(_CCMS_LINE.fullmatch(line) for line in lines[:-1])


def ccms_sheet(text: str, encoding: str, *, name: str) -> Sheet:
    """A CCMS `MDDCCHHH.SCH` or `.VER`: one record a line, fields by position, the channel in the file's name.

    Raises:
        PlanFileError: too many lines.
    """
    match = _CCMS_NAME.fullmatch(name)
    channel, day = (match["channel"], f"{int(match['month'], 16):02}{match['day']}") if match else ("", "")
    header = ("ccms_channel", *(field for field, _, _ in _CCMS_FIELDS))
    records: list[Record] = []
    problems: list[Problem] = []
    for line, words in _lines(text):
        if not words.startswith("LOI"):
            if not words.startswith(("REM", "END", "NUL")):
                problems.append(about(Severity.ERROR, line, "not a CCMS record", "records begin with LOI, NUL, REM or END"))
            continue
        cells = tuple(words[start:end].strip() for _, start, end in _CCMS_FIELDS)
        if len(words.rstrip()) < _CCMS_LETTERS_LEAST:
            reason = f"the record ends after {len(words.rstrip())} letters, before the end of its spot's id"
            problems.append(about(Severity.ERROR, line, reason, "is the file whole?"))
        elif day and cells[1] != day:
            reason = f"the record is of {cells[1]}, the file's name of {day}"
            problems.append(about(Severity.ERROR, line, reason, "check date and name; both are month and day"))
        else:
            records.append(Record(line=line, cells=(channel, *cells)))
    return sheet_of("CCMS", header, records, problems, encoding=encoding)


def is_arl(head: Sequence[str]) -> bool:
    """Whether a text begins as an as-run log does."""
    lines = [line for line in head if line.strip()]
    return bool(lines) and _ARL_LINE.fullmatch(lines[0].strip()) is not None


def arl_sheet(text: str, encoding: str) -> Sheet:
    """An as-run log: channel, time, length, title and status on each line.

    Raises:
        PlanFileError: too many lines.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    for line, words in _lines(text):
        match = _ARL_LINE.fullmatch(words.strip())
        if match is None:
            fix = "write channel, time, length, title and PLAYED, CLIPPED, SKIPPED or STOPPED"
            problems.append(about(Severity.ERROR, line, "not a line of an as-run log", fix))
        else:
            records.append(Record(line=line, cells=match.group("channel", "time", "length", "title", "status")))
    header = ("arl_channel", "aired_time", "aired_length", "title", "status")
    return sheet_of("as-run log", header, records, problems, encoding=encoding)


def _lines(text: str) -> list[tuple[int, str]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) > ROWS_MAX:
        raise PlanFileError(f"{len(lines)} records, more than {ROWS_MAX}; split the plan")
    return lines
