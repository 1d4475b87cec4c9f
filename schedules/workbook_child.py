"""Reads a workbook from standard input and writes its cells to standard output; a program of its own, run with limits.

It knows nothing of the house and imports nothing of it, so that whatever a hostile file does happens here: the process can
neither take more memory and processor time than it was given, nor write a file, and its parent ends it when it takes too long.

The first line of the answer is JSON: `{"sheets": [names], "warnings": [sentences]}`. Then one line of JSON a row:
`[sheet number, row, [cells]]`. `{"refused": "one sentence"}` may stand instead of any line and is the last one.
"""

import json
import re
import resource
import sys
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile, ZipInfo

MEMBERS_MAX = 2_000
FORMULAS_MAX = 100_000
CELLS_MAX = 2_000_000
CHUNK_BYTES = 1 << 16
_ROW_TAG = re.compile(rb"<(?:[A-Za-z0-9]+:)?(?:row|table-row)[ />]")
_CELL_TAG = re.compile(rb"<(?:[A-Za-z0-9]+:)?(?:c|table-cell)[ />]")
_BARE_FORMULA = re.compile(
    rb'<(?:\w+:)?c (?:[^>]* )?r="([A-Z]{1,3})([0-9]{1,7})"[^>]*>\s*<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*'
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>\s*)?</(?:\w+:)?c>"
)
_ODS_SPECIAL = re.compile(rb"<(?:[A-Za-z0-9]+:)?table-cell [^>]*(?:formula|number-columns-spanned|number-rows-spanned)=")
"""A cell of an ODS table that may be merged with others, or have a formula without a value."""
_NAMESPACE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_ODS_LENGTH = re.compile(r"PT([0-9]{2,4})H([0-9]{2})M([0-9]{2})(?:[.,][0-9]+)?S")
"""A length of time in ODS, which is handed on as it stands when it is longer than a day."""
UNCALCULATED = "=(not calculated)"
"""Stands for a formula that has no value; no text of a plan looks like it."""
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
_SHEET_PART = re.compile(r"(?:xl/worksheets/.*\.xml|content\.xml)", re.IGNORECASE)
_TAIL_BYTES = 8_192
"""What is kept of a piece so that a cell on the border of two is not missed; a formula has at most 8,192 letters."""


class RefusedError(Exception):
    """The workbook is not read; the message says why, in one sentence."""


def main(arguments: list[str]) -> int:
    """Read a workbook within the limits given: `memory_bytes processor_s unpacked_bytes answer_bytes rows columns sheets`."""
    memory_bytes, processor_s, unpacked_bytes, answer_bytes, rows, columns, sheets = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    out = sys.stdout
    try:
        for line in answer(data, inspected(data, unpacked_bytes=unpacked_bytes, rows=rows), columns=columns, sheets=sheets):
            text = json.dumps(line) + "\n"
            answer_bytes -= len(text)  # ASCII
            if answer_bytes < 0:
                raise RefusedError("the workbook holds too much text; split the plan")
            out.write(text)
    except RefusedError as error:
        out.write(json.dumps({"refused": str(error)}) + "\n")
    out.flush()
    return 0


Corners = tuple[tuple[int, int], tuple[int, int]]
"""Row and column, from 0, of a merged cell's first and last cell."""


class Inspection:
    """What was seen on the way through the archive.

    Attributes:
        bare: row and column of the cells whose formula has no value, by the part they stand in; in ODS by the sheet's name.
        merged: corners of the merged cells of ODS sheets, by the sheet's name.
        has_special: there are ODS cells that should be looked at for both.
        warnings: what should be said of the workbook.
        names: of the parts, in lower case.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.bare: dict[str, set[tuple[int, int]]] = {}
        self.merged: dict[str, list[Corners]] = {}
        self.has_special = False
        self.warnings: list[str] = []
        if any(name.startswith("xl/externallinks/") for name in names):
            self.warnings.append("the workbook refers to other files, which are not opened; the values last calculated are taken")


def inspected(data: bytes, *, unpacked_bytes: int, rows: int) -> Inspection:
    """What a harmless archive holds.

    Every XML part is unpacked once in pieces that are counted, since an archive's own word for its sizes is not to be trusted.

    Raises:
        RefusedError: no archive, a broken or encrypted one, or one that unpacks to too much.
    """
    try:
        archive = ZipFile(BytesIO(data))
    except (BadZipFile, ValueError, OverflowError, NotImplementedError, OSError) as error:
        raise RefusedError(f"the workbook's archive is broken ({error}); is the file whole? Save it again") from error
    members = archive.infolist()
    if len(members) > MEMBERS_MAX:
        raise RefusedError(f"the archive has {len(members)} parts, more than {MEMBERS_MAX}; this is no plan")
    names = [member.filename.lower() for member in members]
    if len(set(names)) < len(names):
        raise RefusedError("the archive holds two parts of one name; save the workbook again")
    if "xl/workbook.xml" not in names and "content.xml" not in names:
        what = " but a binary one (.xlsb)" if "xl/workbook.bin" in names else ""
        raise RefusedError(
            f"this is an archive, but no .xlsx or .ods workbook{what}; save the plan as one of them, or as CSV UTF-8"
        )
    seen = Inspection(names)
    left = unpacked_bytes
    for member in members:
        if member.filename.lower().endswith((".xml", ".rels")):
            left -= _inspect(archive, member, seen, left=left, unpacked_bytes=unpacked_bytes, rows=rows)
    return seen


def _inspect(archive: ZipFile, member: ZipInfo, seen: Inspection, *, left: int, unpacked_bytes: int, rows: int) -> int:
    """How many bytes the part unpacks to."""
    name = member.filename.lower()
    total = n_rows = n_cells = 0
    tail = b""
    for piece in _pieces(archive, member):
        total += len(piece)
        if total > left:
            raise RefusedError(
                f"the workbook unpacks to more than {unpacked_bytes >> 20} MiB; split the plan, or save it as CSV UTF-8"
            )
        text = tail + piece
        if any(word in text for word in _DECLARATIONS):
            raise RefusedError(
                "the workbook declares a document type or entities, which no spreadsheet does; it is refused unread"
            )
        if _SHEET_PART.fullmatch(name):
            n_rows += sum(1 for match in _ROW_TAG.finditer(text) if match.end() > len(tail))
            if n_rows > rows:
                raise RefusedError(f"a sheet has more than {rows} rows; split the plan")
            n_cells += sum(1 for match in _CELL_TAG.finditer(text) if match.end() > len(tail))
            if n_cells > CELLS_MAX:
                raise RefusedError(f"a sheet has more than {CELLS_MAX} cells; split the plan")
            _note_formulas(name, text, seen)
        tail = text[-_TAIL_BYTES:]
    return total


def _note_formulas(part: str, text: bytes, seen: Inspection) -> None:
    if part == "content.xml":
        seen.has_special = seen.has_special or _ODS_SPECIAL.search(text) is not None
        return
    for match in _BARE_FORMULA.finditer(text):
        column = 0
        for letter in match[1]:
            column = column * 26 + letter - 64
        bare = seen.bare.setdefault(part, set())
        bare.add((int(match[2]) - 1, column - 1))
        if len(bare) > FORMULAS_MAX:
            raise RefusedError(
                f"more than {FORMULAS_MAX} formulas without a value; open the workbook in a spreadsheet program and save it"
            )


def _pieces(archive: ZipFile, member: ZipInfo) -> Iterator[bytes]:
    if member.flag_bits & 1:
        raise RefusedError("the workbook is encrypted; save it without a password")
    try:
        with archive.open(member) as part:
            while piece := part.read(CHUNK_BYTES):
                yield piece
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise RefusedError(f"{member.filename}: this part of the workbook is broken ({error}); is the file whole?") from error


def answer(data: bytes, seen: Inspection, *, columns: int, sheets: int) -> Iterator[Any]:
    """The names of the visible sheets, then every row that holds something.

    Raises:
        RefusedError: the workbook cannot be read.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    is_ods = "content.xml" in seen.names
    if is_ods and seen.has_special:
        _OdsReader(seen).read(data)
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(data))
        if len(workbook.sheet_names) > sheets:
            raise RefusedError(f"{len(workbook.sheet_names)} sheets, more than {sheets}; save the plan's sheet alone")
        shown = [meta.name for meta in workbook.sheets_metadata if str(meta.visible).endswith(".Visible")]
        hidden = [f"the hidden sheet '{name[:60]}' is not read" for name in workbook.sheet_names if name not in shown]
        yield {"sheets": shown, "warnings": [*seen.warnings, *hidden]}
        parts = _parts(data) if seen.bare and not is_ods else {}
        for number, name in enumerate(shown):
            table = workbook.get_sheet_by_name(name)
            width = table.end[1] + 1 if table.end else 0
            if width > columns:
                raise RefusedError(f"the sheet '{name[:60]}' has {width} columns, more than {columns}; this is no plan")
            bare = seen.bare.get(name if is_ods else parts.get(name, ""), set())
            yield from _rows(number, table, bare, seen.merged.get(name, []) if is_ods else table.merged_cell_ranges or [])
    except CalamineError as error:
        raise RefusedError(f"the workbook cannot be read ({str(error)[:120]}); save it again, or as CSV UTF-8") from error


def _parts(data: bytes) -> dict[str, str]:
    """The part of the archive that holds each sheet, by the sheet's name."""
    with ZipFile(BytesIO(data)) as archive:
        targets = {
            element.get("Id", ""): element.get("Target", "").lower().lstrip("/")
            for element in ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        }
        found: dict[str, str] = {}
        for element in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter():
            target = targets.get(element.get(f"{_NAMESPACE}id", ""), "")
            if element.tag.endswith("}sheet") and target:
                found[element.get("name", "")] = target if target.startswith("xl/") else f"xl/{target}"
    return found


class _OdsReader:
    """Finds merged cells and formulas without a value in ODS tables, of which the library tells nothing."""

    def __init__(self, seen: Inspection) -> None:
        self._seen = seen
        self._sheet = ""
        self._row = self._column = 0
        self._rows_repeated = 1
        self._found = 0

    def read(self, data: bytes) -> None:
        """Go through the tables.

        Raises:
            RefusedError: the part is broken, or holds too many such cells.
        """
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        with ZipFile(BytesIO(data)) as archive:
            try:
                for piece in _pieces(archive, archive.getinfo("content.xml")):
                    parser.Parse(piece, False)
                parser.Parse(b"", True)
            except (expat.ExpatError, KeyError) as error:
                raise RefusedError(f"content.xml: this part of the workbook is broken ({error}); is the file whole?") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name not in ("table", "table-row", "table-cell", "covered-table-cell"):
            return
        said = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        if name == "table":
            self._sheet, self._row = said.get("name", ""), 0
        elif name == "table-row":
            self._column, self._rows_repeated = 0, _number(said.get("number-rows-repeated"))
        else:
            self._cell(said)
            self._column += _number(said.get("number-columns-repeated"))

    def _cell(self, said: dict[str, str]) -> None:
        here = (self._row, self._column)
        rows, columns = _number(said.get("number-rows-spanned")), _number(said.get("number-columns-spanned"))
        if rows > 1 or columns > 1:
            corner = (self._row + rows - 1, self._column + columns - 1)
            self._seen.merged.setdefault(self._sheet, []).append((here, corner))
        elif "formula" in said and "value-type" not in said:
            self._seen.bare.setdefault(self._sheet, set()).add(here)
        else:
            return
        self._found += 1
        if self._found > FORMULAS_MAX:
            raise RefusedError(f"more than {FORMULAS_MAX} merged cells or formulas without a value; save the plan as CSV UTF-8")

    def _end(self, tag: str) -> None:
        if tag.rpartition(" ")[2] == "table-row":
            self._row += self._rows_repeated


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 8 else 1


def _rows(number: int, table: Any, bare: set[tuple[int, int]], merged: list[Corners]) -> Iterator[Any]:
    """Each row that holds something; a merged cell's value stands in each of its cells."""
    merged = sorted(merged)
    values: dict[int, Any] = {}
    for index, row in enumerate(table.iter_rows()):
        cells = [_text(cell) for cell in row]
        for place, ((top, left), (bottom, right)) in enumerate(merged):
            if top > index:
                break
            if top <= index <= bottom and left < len(cells):
                value = values.setdefault(place, cells[left])
                cells[left : right + 1] = [value] * len(cells[left : right + 1])
        if bare:
            cells = [UNCALCULATED if not cell and (index, column) in bare else cell for column, cell in enumerate(cells)]
        if any(cells):
            yield [number, index + 1, cells]


def _text(value: Any) -> str:
    """A cell as text: dates as ISO 8601, times to the second, lengths of time with hours counting on."""
    match value:
        case bool():
            text = "TRUE" if value else "FALSE"
        case datetime():
            text = f"{_to_second(value):%Y-%m-%d %H:%M:%S}"
        case date():
            text = f"{value:%Y-%m-%d}"
        case time():
            text = f"{_to_second(datetime.combine(date(2000, 1, 1), value)):%H:%M:%S}"
        case timedelta():
            total_s = round(value.total_seconds())
            text = f"{total_s // 3600:02}:{total_s // 60 % 60:02}:{total_s % 60:02}"
        case float() if value.is_integer() and abs(value) < 1e15:
            text = str(int(value))
        case _:
            text = str(value).strip()
            if (length := _ODS_LENGTH.fullmatch(text)) is not None:
                text = ":".join(length.groups())
    return text


def _to_second(instant: datetime) -> datetime:
    """Spreadsheets keep times as fractions of a day; half a second of error is rounded away."""
    return (instant + timedelta(microseconds=500_000)).replace(microsecond=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
