"""Options that say how a plan's file is to be read, for every verb that reads one."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from schedules import Choices, Field

LayoutName = Annotated[str, typer.Option("--layout", metavar="NAME", help="The plan's layout, if it is not recognised.")]
ColumnMap = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=FIELD", help="What a column means: channel, date, time, instant, spot, length_s …"),
]
Constants = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="What every row says though no column does: channel=nord."),
]
Order = Annotated[
    Literal["dmy", "mdy"] | None, typer.Option("--date-order", help="Day first or month first, if the file does not prove it.")
]
Zone = Annotated[str, typer.Option("--zone", metavar="ZONE", help="Time zone of the plan, if it is not each channel's own.")]
DayStart = Annotated[
    str, typer.Option("--day-start", metavar="HH:MM", help="When the plan's broadcast days begin, 00:00 to 06:00; else 06:00.")
]
SmallHours = Annotated[
    Literal["refuse", "next"],
    typer.Option("--small-hours", help="Times before the day begins are refused, or are of the next morning."),
]
SheetName = Annotated[str, typer.Option("--sheet", metavar="NAME", help="The workbook's sheet, if several could be the plan.")]


def choices_of(
    *,
    layout: LayoutName = "",
    columns: ColumnMap = None,
    constants: Constants = None,
    date_order: Order = None,
    zone: Zone = "",
    day_start: DayStart = "",
    small_hours: SmallHours = "refuse",
    sheet: SheetName = "",
) -> "Choices":
    """What was typed, checked.

    Raises:
        PlanFileError: no such layout or field, or no `=` in a pair.
    """
    from schedules import Choices, DateOrder, Field

    return Choices(
        layout=layout,
        columns={
            column: _field("--map", column, field)
            for column, field in (_pair("--map", text, last=True) for text in columns or ())
        },
        constants={
            Field(_field("--set", field, field)): value
            for field, value in (_pair("--set", text, last=False) for text in constants or ())
        },
        date_order=None if date_order is None else DateOrder(date_order),
        zone=zone,
        day_start=day_start,
        small_hours_next=small_hours == "next",
        sheet=sheet,
    )


def with_choices(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, a verb with a keyword `choices`, as one with the options that `choices_of` makes it from."""
    options = inspect.signature(choices_of).parameters
    own = inspect.signature(command)
    others = [one for one in own.parameters.values() if one.name != "choices"]

    def run(**words: Any) -> None:
        choices = choices_of(**{name: words.pop(name) for name in options})
        command(**words, choices=choices)

    parameters = sorted([*others, *options.values()], key=lambda one: one.kind)
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _pair(option: str, text: str, *, last: bool) -> tuple[str, str]:
    from schedules import PlanFileError

    left, equals, right = text.rpartition("=") if last else text.partition("=")
    if not equals or not left.strip() or not right.strip():
        example = "'Air Date=date'" if last else "channel=kanal-nord"
        raise PlanFileError(f"{option} {text}: not two words with = between them; write for example {option} {example}")
    return left.strip(), right.strip()


def _field(option: str, shown: str, text: str) -> "Field":
    from schedules import Field, PlanFileError

    name = {"length": "length_s", "window_before": "window_before_s", "window_after": "window_after_s"}.get(text, text)
    try:
        return Field(name)
    except ValueError as error:
        raise PlanFileError(f"{option} {shown}: no field of a plan is called {text}; use {', '.join(Field)}") from error
