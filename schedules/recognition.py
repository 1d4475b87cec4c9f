"""Which sheet holds the plan, where its header stands, and which column means what. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from schedules.cells import HEADER_ROW_MAX, Record, Sheet, about, shown
from schedules.dates import DateOrder
from schedules.errors import PlanFileError
from schedules.layouts import BY_NAME, LAYOUTS, NEEDED, OUR_COLUMNS, OWN, Field, Layout, named
from schedules.plan import Problem, Severity

_SYNONYMS = {"tz": "timezone"}
"""Names too unlike their column to be found by their letters."""
_OPTIONAL = (Field.LENGTH, Field.WINDOW_BEFORE, Field.WINDOW_AFTER, Field.TIMEZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person who uploads says of a file; everything left out is recognised or has its default.

    Attributes:
        layout: name of one of `layouts.LAYOUTS`; empty to recognise it.
        columns: what columns mean, by the name the file gives them; wins over the layout.
        constants: what every row says though no column does.
        date_order: of numbers with the year last; None to take what the file proves.
        zone: of the file's times; empty for each channel's own.
        day_start: when its broadcast days begin; empty for the layout's, else 06:00.
        small_hours_next: times before the day begins belong to the following morning.
        sheet: name of the workbook's sheet; empty for the one that has the header.
    """

    layout: str = ""
    columns: Mapping[str, Field] = field(default_factory=dict)
    constants: Mapping[Field, str] = field(default_factory=dict)
    date_order: DateOrder | None = None
    zone: str = ""
    day_start: str = ""
    small_hours_next: bool = False
    sheet: str = ""

    def __post_init__(self) -> None:
        if self.layout and self.layout not in BY_NAME:
            raise PlanFileError(f"--layout {self.layout}: no such layout; use one of {', '.join(BY_NAME)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The table of a file, and how it is to be read.

    Attributes:
        line: of the header; 0 when the file has none.
        names: of the columns as they are compared.
        titles: of the columns as they are written.
        places: the column of each field, from 0.
    """

    sheet: Sheet
    layout: Layout
    line: int
    names: tuple[str, ...]
    titles: tuple[str, ...]
    places: Mapping[Field, int]


def recognise(sheets: Sequence[Sheet], choices: Choices) -> Found:
    """The one sheet and header by which the file can be read.

    Raises:
        PlanFileError: none, or several that could be meant.
    """
    if choices.sheet:
        sheets = [sheet for sheet in sheets if sheet.name == choices.sheet] or _no_sheet(sheets, choices.sheet)
    nearest = _Nearest()
    broken: PlanFileError | None = None
    found: list[Found] = []
    for sheet in sheets:
        try:
            one = _in_sheet(sheet, choices, nearest)
        except PlanFileError as error:
            broken = broken or error
            continue
        if one is not None:
            found.append(one)
    if not found:
        if nearest.layout is None and broken is not None:
            raise broken
        raise PlanFileError(nearest.sentence())
    best = max(len(one.places) for one in found)
    found = [one for one in found if len(one.places) == best]
    if len(found) > 1 and found[0].sheet.name != found[1].sheet.name:
        names = " and ".join(f"'{shown(one.sheet.name)}'" for one in found[:2])
        raise PlanFileError(f"the sheets {names} could both be the plan; say which with --sheet")
    return found[0]


def header_problems(found: Found, choices: Choices) -> Iterator[Problem]:
    """What is wrong or not used in the header."""
    used = set(found.places.values())
    mapped = {named(column) for column in choices.columns}
    seen: dict[str, int] = {}
    meant = {found.names[place] for place in used}
    for place, name in enumerate(found.names):
        if name in seen and name in meant:
            yield about(Severity.ERROR, found.line, f"two columns named {shown(name)}", "remove or rename one")
        elif name and place not in used and name not in seen and not name.startswith(OUR_COLUMNS):
            yield from _unused(found, name, mapped)
        seen[name] = place


def _unused(found: Found, name: str, mapped: set[str]) -> Iterator[Problem]:
    optional = [field_.value for field_ in _OPTIONAL if field_ not in found.places]
    alike = get_close_matches(_SYNONYMS.get(name, name), optional, n=1)
    if alike and name not in found.layout.known and name not in mapped:
        yield about(Severity.ERROR, found.line, f"unknown column '{shown(name)}'", f"did you mean {alike[0]}?")
    elif found.line:
        yield about(Severity.NOTE, found.line, f"column '{shown(name)}' is not used")


class _Nearest:
    """The row most like a header, for the sentence that says there is none."""

    def __init__(self) -> None:
        self.layout: Layout | None = None
        self._names: Sequence[str] = ()
        self._lacking: Sequence[Field] = ()
        self._known = 0

    def offer(self, layout: Layout, names: Sequence[str], lacking: Sequence[Field]) -> None:
        known = len(set(names) & layout.known)
        if known > self._known:
            self.layout, self._names, self._lacking, self._known = layout, names, lacking, known

    def sentence(self) -> str:
        wanted = f"no header row with the columns {', '.join(NEEDED)} in the first {HEADER_ROW_MAX} rows"
        if self.layout is None:
            return (
                f"{wanted}, nor that of another layout ({', '.join(one.name for one in LAYOUTS[1:])}); "
                "write one of them into the first row, or say what the columns mean with --map COLUMN=FIELD"
            )
        if self.layout is not OWN:
            lacking = ", ".join(self._lacking)
            return (
                f"{wanted}; the nearest row is of the layout {self.layout.name} but lacks the {lacking}: "
                "add a column, say which it is with --map COLUMN=FIELD, or give it to all rows with --set FIELD=VALUE"
            )
        hints = [self._hint(field_) for field_ in self._lacking]
        return f"{wanted}; the nearest row lacks {', '.join(hints)}: add or rename, or use --map COLUMN=FIELD"

    def _hint(self, field_: Field) -> str:
        alike = get_close_matches(field_, self._names, n=1)
        return f"{field_} (is it '{shown(alike[0])}'?)" if alike else field_


def _no_sheet(sheets: Sequence[Sheet], wanted: str) -> list[Sheet]:
    names = ", ".join(f"'{shown(sheet.name)}'" for sheet in sheets if sheet.name) or "none, it is no workbook"
    raise PlanFileError(f"--sheet {wanted}: no such sheet; the file has {names}")


def _in_sheet(sheet: Sheet, choices: Choices, nearest: _Nearest) -> Found | None:
    """The header of the first row that can be one; the layout that knows most of its names."""
    layouts = [BY_NAME[choices.layout]] if choices.layout else list(LAYOUTS)
    head = sheet.head()
    for record in head:
        found = [one for layout in layouts if (one := _header(sheet, record, layout, choices, nearest)) is not None]
        if found:
            return _best(found)
    for layout in layouts:
        if layout.order and head and (choices.layout or _is_first_row(head[0], layout)):
            return _headerless(sheet, head[0], layout, choices)
    return None


def _best(found: list[Found]) -> Found:
    def knows(one: Found) -> tuple[int, int]:
        return len(set(one.names) & one.layout.known), len(one.places)

    found.sort(key=knows, reverse=True)
    if len(found) > 1 and knows(found[0]) == knows(found[1]):
        names = " and ".join(one.layout.name for one in found[:2])
        raise PlanFileError(f"row {found[0].line}: a header of the layouts {names} alike; say which with --layout")
    return found[0]


def _header(sheet: Sheet, record: Record, layout: Layout, choices: Choices, nearest: _Nearest) -> Found | None:
    names = tuple(named(cell) for cell in record.cells)
    mapped = {named(column): field_ for column, field_ in choices.columns.items()}
    if not mapped.keys() <= set(names):
        return None
    places = _places(names, layout, mapped)
    lacking = _lacking(places, choices.constants)
    signed = set(layout.signature) <= set(names)
    if lacking or not (signed or choices.layout or _is_spelt_out(layout, mapped, choices.constants)):
        nearest.offer(layout, names, lacking)
        return None
    return Found(sheet=sheet, layout=layout, line=record.line, names=names, titles=record.cells, places=places)


def _is_spelt_out(layout: Layout, mapped: Mapping[str, Field], constants: Mapping[Field, str]) -> bool:
    """Whether the person has named enough columns that the header need not be one of a known layout."""
    return layout is OWN and bool(mapped or constants)


def _places(names: Sequence[str], layout: Layout, mapped: Mapping[str, Field]) -> dict[Field, int]:
    places = {field_: names.index(name) for name, field_ in mapped.items()}
    taken = set(places.values())
    for field_, accepted in layout.columns.items():
        if field_ in places or _said_otherwise(field_, places):
            continue
        place = next((names.index(name) for name in accepted if name in names), None)
        if place is not None and place not in taken:
            places[field_] = place
    return places


def _said_otherwise(field_: Field, places: Mapping[Field, int]) -> bool:
    """Whether a mapped instant stands for a date or time, or the other way round."""
    if field_ in (Field.DATE, Field.TIME):
        return Field.INSTANT in places
    return field_ is Field.INSTANT and (Field.DATE in places or Field.TIME in places)


def _lacking(places: Mapping[Field, int], constants: Mapping[Field, str]) -> list[Field]:
    said = {*places, *constants}
    if Field.INSTANT in said:
        said |= {Field.DATE, Field.TIME}
    return [field_ for field_ in NEEDED if field_ not in said]


def _is_first_row(record: Record, layout: Layout) -> bool:
    return layout.first_row is not None and layout.first_row.fullmatch(",".join(record.cells)) is not None


def _headerless(sheet: Sheet, first: Record, layout: Layout, choices: Choices) -> Found | None:
    names = layout.order[: len(first.cells)]
    places = _places(names, layout, {})
    if _lacking(places, choices.constants):
        return None
    return Found(sheet=sheet, layout=layout, line=0, names=names, titles=names, places=places)
