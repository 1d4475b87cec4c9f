"""Text to tables of cells: any encoding, any separator. Pure.

Neither is guessed to the end: every separator is tried, and the one by which a layout's header appears is the right one; a wrong
encoding can only spoil accented letters, which then match no known name, and is said.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from functools import partial

from schedules.cells import Record, Sheet, about, limited
from schedules.errors import PlanFileError
from schedules.plan import Problem, Severity

SEPARATORS = (",", ";", "\t", "|", "^", "~")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_USUAL = "cp1252"
"""Of the encodings under which the same bytes are the same letters, the one that is named."""


def decoded(data: bytes) -> tuple[str, str, tuple[Problem, ...]]:
    """The text, its encoding, and what should be said of it.

    Raises:
        PlanFileError: no text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
            except UnicodeDecodeError:
                break
            return _without_nul(text), encoding, ()
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise PlanFileError(f"row {line} holds a NUL byte, so this is no text file; save the plan as CSV UTF-8")
    try:
        return data.decode("utf-8"), "utf-8", ()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    return _of_unknown_encoding(data, line)


def text_sheets(text: str, encoding: str, problems: tuple[Problem, ...]) -> Iterator[Sheet]:
    """The text by each separator; a first line `sep=;` as Excel writes it leaves only that one."""
    first = text.partition("\n")[0].strip().lower()
    said = first[4:] if first.startswith("sep=") and len(first) == 5 else ""
    for separator in (said,) if said else SEPARATORS:
        yield Sheet(
            container="TSV" if separator == "\t" else "CSV",
            read=partial(_records, text, separator),
            separator=separator,
            encoding=encoding,
            problems=problems,
            is_ragged=True,
        )


def _of_unknown_encoding(data: bytes, line: int) -> tuple[str, str, tuple[Problem, ...]]:
    from charset_normalizer import from_bytes

    found = from_bytes(data).best()
    if found is None:
        raise PlanFileError(f"row {line} is neither UTF-8 nor text of any other known encoding; save the plan as CSV UTF-8")
    encoding, text = found.encoding, str(found)
    if _USUAL in found.could_be_from_charset or _reads_alike(data, text):
        encoding = _USUAL
    reason = f"the file is not UTF-8 and was read as {encoding}"
    fix = "check its accented letters, or save it as CSV UTF-8"
    return _without_nul(text), encoding, (about(Severity.WARNING, 1, reason, fix),)


def _reads_alike(data: bytes, text: str) -> bool:
    try:
        return data.decode(_USUAL) == text
    except UnicodeDecodeError:
        return False


def _without_nul(text: str) -> str:
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise PlanFileError(f"row {line} holds a NUL, so this is no text file; save the plan as CSV UTF-8")
    return text


def _records(text: str, separator: str) -> Iterator[Record]:
    return limited(_each(text, separator))


def _each(text: str, separator: str) -> Iterator[Record]:
    """Each record with the line it begins on.

    Raises:
        PlanFileError: broken quotes.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise PlanFileError(f"row {line}: broken quotes ({error}); is the file whole? Close every quote") from error
        yield Record(line=line, cells=tuple(map(str.strip, cells)))
        line = reader.line_num + 1
