"""A file's bytes to the tables it may hold, by what the bytes are and never by the file's name."""

from collections.abc import Callable, Sequence

from schedules.bxf import bxf_sheet
from schedules.cells import FILE_BYTES_MAX, Sheet
from schedules.errors import PlanFileError
from schedules.text_cells import decoded, text_sheets
from schedules.traffic_logs import arl_sheet, ccms_sheet, is_arl, is_ccms
from schedules.workbooks import workbook_sheets

_NO_PLAN = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls) or one with a password; save it as .xlsx without a password"),
    (b"%PDF", "a PDF document; ask for the plan as a spreadsheet or CSV"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x89PNG", "a picture; ask for the plan as a spreadsheet or CSV"),
    (b"\xff\xd8\xff", "a picture; ask for the plan as a spreadsheet or CSV"),
    (b"{\\rtf", "a text document (RTF); ask for the plan as a spreadsheet or CSV"),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def sheets_of(data: bytes, *, name: str = "", open_workbook: Callable[[bytes], list[Sheet]] = workbook_sheets) -> Sequence[Sheet]:
    """The tables the file may hold; of a text one for each way to separate its cells.

    Args:
        data: the file.
        name: of the file; a CCMS schedule says its channel there.
        open_workbook: reads workbooks.

    Raises:
        PlanFileError: empty, too large, or nothing that holds a table.
    """
    if not data.strip():
        raise PlanFileError("the file is empty; a plan is a table with a header row")
    if len(data) > FILE_BYTES_MAX:
        raise PlanFileError(f"more than {FILE_BYTES_MAX} bytes; split the plan")
    for magic, what in _NO_PLAN:
        if data.startswith(magic):
            raise PlanFileError(f"this is {what}")
    if data.startswith(_ZIP):
        return open_workbook(data)
    if _is_xml(data):
        return [bxf_sheet(data)]
    text, encoding, problems = decoded(data)
    head = text[:4096].splitlines()
    if is_ccms(head):
        return [ccms_sheet(text, encoding, name=name)]
    if is_arl(head):
        return [arl_sheet(text, encoding)]
    return list(text_sheets(text, encoding, problems))


def _is_xml(data: bytes) -> bool:
    """Whether the first letter is `<`, also behind a byte order mark and in UTF-16."""
    return data[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")
