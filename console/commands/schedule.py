"""`cuebird schedule`: check a plan, and import it."""

import asyncio
import getpass
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.options import AsJson, ConfigOption
from console.plan_options import ColumnMap, Constants, DayStart, LayoutName, Order, SheetName, SmallHours, Zone, choices_of

if TYPE_CHECKING:
    from console.config import Config
    from schedules import Airing, Choices, Plan
    from schedules.plan import Problem, Reading
    from sync.ledger import ImportDiff

ROWS_SHOWN_MAX = 200

PlanFile = Annotated[Path, typer.Argument(metavar="FILE", help="The plan; what may be in it is in docs/schedules.md.")]
PlanName = Annotated[str | None, typer.Option("--plan", help="Name of the plan this file replaces; else the file's name.")]
ErrorsFile = Annotated[
    Path | None, typer.Option("--errors", metavar="OUT", help="Write the plan's rows with their problems to OUT.csv or OUT.xlsx.")
]


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Check and import broadcast plans.")
    group.command("check")(check)
    group.command("import")(import_plan)
    app.add_typer(group, name="schedule")


def check(
    file: PlanFile,
    *,
    config: ConfigOption = None,
    layout: LayoutName = "",
    columns: ColumnMap = None,
    constants: Constants = None,
    date_order: Order = None,
    zone: Zone = "",
    day_start: DayStart = "",
    small_hours: SmallHours = "refuse",
    sheet: SheetName = "",
    errors: ErrorsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the airings of a plan, or everything that is wrong with it. Nothing is stored; exit code 1 when it has errors."""
    from console.config import find_config, load_config
    from console.plan_problems import write_problems

    choices = choices_of(
        layout=layout, columns=columns, constants=constants, date_order=date_order, zone=zone, day_start=day_start,
        small_hours=small_hours, sheet=sheet,
    )  # fmt: skip
    source = read(file, load_config(find_config(config)), choices)
    if errors is not None:
        write_problems(errors, source.plan)
    if as_json:
        typer.echo(_json(_facts(source)))
    else:
        _show_airings(source.plan.airings)
        _show_problems(source)
    if errors is not None:
        typer.echo(f"{errors}: written", err=True)
    if source.plan.errors:
        raise typer.Exit(1)


def import_plan(
    file: PlanFile,
    *,
    config: ConfigOption = None,
    plan: PlanName = None,
    layout: LayoutName = "",
    columns: ColumnMap = None,
    constants: Constants = None,
    date_order: Order = None,
    zone: Zone = "",
    day_start: DayStart = "",
    small_hours: SmallHours = "refuse",
    sheet: SheetName = "",
    as_json: AsJson = False,
) -> None:
    """Import a plan, all of it or nothing, and say what changes.

    Airings that an earlier import of the same plan had and this file lacks are dropped.
    """
    from console.config import find_config, load_config

    loaded = load_config(find_config(config))
    choices = choices_of(
        layout=layout, columns=columns, constants=constants, date_order=date_order, zone=zone, day_start=day_start,
        small_hours=small_hours, sheet=sheet,
    )  # fmt: skip
    source = read(file, loaded, choices)
    if source.plan.errors:
        if as_json:
            typer.echo(_json(_facts(source)))
        else:
            _show_problems(source)
        typer.echo(f"cuebird: {file}: not imported, nothing has changed; mend the errors above", err=True)
        raise typer.Exit(1)
    diff, told = _store(source, loaded, plan_id=plan or file.stem)
    source = replace(source, plan=replace(source.plan, problems=(*source.plan.problems, *told)))
    reloaded = _reload(loaded.paths.socket_file)
    if as_json:
        changes = {"new": diff.new, "moved": diff.changed, "dropped": diff.dropped, "unchanged": diff.unchanged}
        typer.echo(_json({**_facts(source), "plan": plan or file.stem, "changes": changes, "engine_reloaded": reloaded}))
        return
    _show_problems(source)
    _show_changes(diff)
    typer.echo("The running engine has taken it up." if reloaded else "No engine is running; it will find them when it starts.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A plan as read, with where it came from. `sha256` is of the file's bytes."""

    file: Path
    sha256: str
    plan: "Plan"


def read(file: Path, config: "Config", choices: "Choices") -> Source:
    """The plan in `file`, judged against the channels and spots of the configuration.

    Raises:
        PlanFileError: the file cannot be read or is no plan; the message names it.
        BroadcastTimeError: the day start or zone chosen is none.
    """
    import hashlib

    from console.plan_catalogue import plan_catalogue
    from schedules import PlanFileError, read_plan
    from schedules.cells import FILE_BYTES_MAX
    from timebase import SystemClock

    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
        plan = read_plan(data, name=file.name, catalogue=plan_catalogue(config), now_utc=SystemClock().utc(), choices=choices)
    except OSError as error:
        raise PlanFileError(f"{file}: {error.strerror}; name a file that can be read") from error
    except PlanFileError as error:
        raise PlanFileError(f"{file}: {error}") from error
    return Source(file=file, sha256=hashlib.sha256(data).hexdigest(), plan=plan)


def _store(source: Source, config: "Config", *, plan_id: str) -> "tuple[ImportDiff, list[Problem]]":
    """What changes, and the cues whose approved texts do not last for the airings that now stand."""
    from console.ledgers import open_ledger
    from console.plan_supplies import supplies_of
    from schedules import shortages
    from timebase import SystemClock

    plans, actor = {plan_id: source.plan.airings}, getpass.getuser()
    with open_ledger(config) as ledger:
        diff = ledger.replace_airings(plans, dry_run=True)
        before = {airing.airing_id: airing for airing in ledger.airings()}
        going_or_given = {*diff.dropped, *(airing.airing_id for airing in source.plan.airings)}
        others = [airing for airing_id, airing in before.items() if airing_id not in going_or_given]
        _refuse_clashes(source, others)
        diff = ledger.replace_airings(plans, plan_sha256=source.sha256, actor=actor)
        told = list(shortages(source.plan.airings, supplies_of(ledger), others=others, now_utc=SystemClock().utc()))
    return _without_renumbered_rows(diff, before, {airing.airing_id: airing for airing in source.plan.airings}), told


def _without_renumbered_rows(diff: "ImportDiff", before: Mapping[str, "Airing"], after: Mapping[str, "Airing"]) -> "ImportDiff":
    """`diff` with only those airings changed whose instants did: one that merely stands in another line of the file did not."""
    moved = {key for key in diff.changed if _instants(before[key]) != _instants(after[key])}
    return replace(
        diff,
        changed=tuple(key for key in diff.changed if key in moved),
        unchanged=tuple(sorted({*diff.unchanged, *diff.changed} - moved)),
    )


def _instants(airing: "Airing") -> tuple[datetime, datetime, datetime]:
    return airing.opens_utc, airing.planned_utc, airing.closes_utc


def _refuse_clashes(source: Source, standing: "list[Airing]") -> None:
    from console.errors import ConsoleError
    from schedules.plan import clashes

    found = list(clashes(source.plan.airings, standing))
    if found:
        airing, other = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ConsoleError(
            f"{source.file}: not imported: row {airing.row} plans {airing.airing_id}, but another plan has {other.airing_id} "
            f"({other.raw}){more}; give --plan with that plan's name to replace it, or take the row out"
        )


def _reload(socket: Path) -> bool:
    """Whether an engine runs and has read the airings again.

    Raises:
        ConsoleError: it runs, and refused.
    """
    from console.errors import ConsoleError
    from sync.client import ControlClient
    from sync.errors import ControlError, EngineUnreachableError

    async def ask() -> None:
        async with ControlClient(socket) as client:
            await client.request("reload")

    if not socket.exists():
        return False
    try:
        asyncio.run(ask())
    except EngineUnreachableError:
        return False
    except ControlError as error:
        raise ConsoleError(f"the plan is imported, but the running engine has not taken it up: {error}; restart it") from error
    return True


def _facts(source: Source) -> dict[str, Any]:
    """The plan as JSON: airings, problems, and whether it may be imported."""
    plan = source.plan
    return {
        "file": str(source.file),
        "sha256": source.sha256,
        "importable": not plan.errors,
        "reading": asdict(plan.reading),
        "airings": [asdict(airing) for airing in plan.airings],
        "problems": [asdict(problem) for problem in plan.problems],
    }


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, indent=2, default=lambda instant: instant.isoformat())


def _read_as(reading: "Reading") -> str:
    """How the file was understood, in a sentence or two."""
    sheet = f", sheet '{reading.sheet}'" if reading.sheet else ""
    header = f", header in row {reading.header_row}" if reading.header_row else ""
    said = [f"{field} from '{column}'" for field, column in reading.columns.items() if field != column]
    said += [f"{field} is {value} throughout" for field, value in reading.constants.items()]
    if reading.date_order:
        said.append(f"dates are {reading.date_order} ({reading.date_order_because})")
    said.append(f"broadcast days begin at {reading.day_start}")
    if reading.zone:
        said.append(f"times are of {reading.zone}")
    return f"Read as {reading.layout} ({reading.container}{sheet}{header}): {'; '.join(said)}."


def _show_airings(airings: Iterable["Airing"]) -> None:
    table = Table(title="Airings", title_justify="left", show_edge=False)
    for heading in ("row", "airing", "planned UTC", "window"):
        table.add_column(heading, justify="right" if heading == "row" else "left", overflow="fold")
    rows = [
        (str(airing.row), escape(airing.airing_id), f"{airing.planned_utc:%Y-%m-%d %H:%M:%S}", _window(airing))
        for airing in airings
    ]
    _show(table, rows)


def _window(airing: "Airing") -> str:
    before_s = (airing.planned_utc - airing.opens_utc).total_seconds()
    after_s = (airing.closes_utc - airing.planned_utc).total_seconds()
    return f"-{before_s:g} +{after_s:g} s"


def _show_problems(source: Source) -> None:
    colours = {"error": "red", "warning": "yellow", "note": "dim"}
    table = Table(title="Problems", title_justify="left", show_edge=False)
    for heading in ("", "row", "column", "value", "what is wrong", "what to do"):
        table.add_column(heading, justify="right" if heading == "row" else "left", overflow="fold")
    rows = [
        (
            f"[{colours[problem.severity]}]{problem.severity}[/]",
            str(problem.row),
            escape(problem.column),
            escape(problem.value),
            escape(problem.reason),
            escape(problem.fix),
        )
        for problem in source.plan.problems
    ]
    _show(table, rows)
    counts = [sum(problem.severity == severity for problem in source.plan.problems) for severity in colours]
    typer.echo(_read_as(source.plan.reading))
    typer.echo(f"{source.file}: {len(source.plan.airings)} airings, {counts[0]} errors, {counts[1]} warnings, {counts[2]} notes")


def _show_changes(diff: "ImportDiff") -> None:
    table = Table(title="Changes", title_justify="left", show_edge=False)
    table.add_column("")
    table.add_column("airing", overflow="fold")
    changes = (("green", "new", diff.new), ("yellow", "moved", diff.changed), ("red", "dropped", diff.dropped))
    _show(table, [(f"[{colour}]{word}[/]", escape(airing)) for colour, word, airings in changes for airing in airings])
    typer.echo(
        f"{len(diff.new)} new, {len(diff.changed)} moved, {len(diff.dropped)} dropped, {len(diff.unchanged)} unchanged",
    )


def _show(table: Table, rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    for row in rows[:ROWS_SHOWN_MAX]:
        table.add_row(*row)
    Terminal().print(table)
    if len(rows) > ROWS_SHOWN_MAX:
        typer.echo(f"… and {len(rows) - ROWS_SHOWN_MAX} more; --json shows all")
    typer.echo()
