"""`cuebird schedule`: check a plan, import it, see what it changes, and go back."""

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.options import AsJson, ConfigOption
from console.plan_options import with_choices
from console.progress import told_if_slow

if TYPE_CHECKING:
    from console.config import Config
    from console.plan_import import Shown
    from console.plan_sources import Source
    from schedules import Choices, PlanChanges

PlanFile = Annotated[Path, typer.Argument(metavar="FILE", help="The plan; what may be in it is in docs/schedules.md.")]
PlanName = Annotated[str, typer.Option("--plan", help="Name of the plan this file replaces; else the file's name.")]
ErrorsFile = Annotated[
    Path | None, typer.Option("--errors", metavar="OUT", help="Write the plan's rows with their problems to OUT.csv or OUT.xlsx.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Drop airings without asking.")]
Plan = Annotated[str, typer.Argument(metavar="PLAN", help="Name of the plan.")]
Number = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Number of the version.")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Check and import broadcast plans, compare their versions, go back to one.")
    group.command("check")(with_choices(check))
    group.command("import")(with_choices(import_plan))
    group.command("diff")(with_choices(diff))
    group.command("versions")(versions)
    group.command("rollback")(rollback)
    app.add_typer(group, name="schedule")


def check(
    file: PlanFile, *, choices: "Choices", config: ConfigOption = None, errors: ErrorsFile = None, as_json: AsJson = False
) -> None:
    """Show the airings of a plan, or everything that is wrong with it. Nothing is stored; exit code 1 when it has errors."""
    from console.plan_import import plan_facts
    from console.plan_problems import write_problems
    from console.plan_showing import show_airings, show_problems

    source = _read(file, _load(config), choices)
    if errors is not None:
        write_problems(errors, source.plan)
    if as_json:
        _echo(plan_facts(source))
    else:
        show_airings(source.plan.airings)
        show_problems(source)
    if errors is not None:
        typer.echo(f"{errors}: written", err=True)
    if source.plan.errors:
        raise typer.Exit(1)


def import_plan(
    file: PlanFile,
    *,
    choices: "Choices",
    config: ConfigOption = None,
    plan: PlanName = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Import a plan, all of it or nothing, and say what changes.

    Airings of the plan that this file lacks are dropped, once you say so. What has been heard or is
    being fired is left alone. The same file again changes nothing.
    """
    from console.plan_import import PlanDesk, change_facts, counts, plan_facts, version_facts

    loaded = _load(config)
    desk, plan_id = PlanDesk(loaded), plan or file.stem
    shown = _shown(file, loaded, choices, plan_id, as_json=as_json)
    changes = shown.preview.changes
    if not as_json:
        _tell(shown)
    agreed = _agreed(changes, yes=yes, as_json=as_json)
    with told_if_slow(f"importing {file.name}"):
        base, actor = shown.preview.base, getpass.getuser()
        done = desk.commit(shown.source, plan_id, actor=actor, base=base, drops_max=agreed, shown=shown.preview)
    if as_json:
        facts = {**plan_facts(shown.source), "plan": plan_id, "changes": change_facts(done.result.changes)}
        _echo({**facts, "version": version_facts(done.result.version), "engine_reloaded": done.reloaded})
        return
    for number in done.result.withdrawn:
        typer.echo(f"Firing {number} waited for an airing that is out of the plan; it is withdrawn.")
    if not done.result.is_new:
        typer.echo(f"Nothing changes: version {done.result.version.number} of the plan {plan_id} is this file already.")
        return
    typer.echo(f"{counts(done.result.changes)}. This is version {done.result.version.number} of the plan {plan_id}.")
    _tell_reloaded(reloaded=done.reloaded)


def diff(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A plan to compare with what stands.")] = None,
    *,
    choices: "Choices",
    config: ConfigOption = None,
    plan: PlanName = "",
    older: Annotated[int | None, typer.Option("--from", min=1, help="A version of the plan, instead of what stands.")] = None,
    newer: Annotated[int | None, typer.Option("--to", min=1, help="The version to compare it with; else the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what importing a file would change, or what changed between two versions of a plan. Nothing is stored."""
    from console.plan_import import PlanDesk, change_facts, change_rows, counts

    loaded = _load(config)
    if file is not None:
        if older is not None or newer is not None:
            raise typer.BadParameter("give a FILE, or --plan with --from and --to")
        shown = _shown(file, loaded, choices, plan or file.stem, as_json=as_json)
        changes = shown.preview.changes
        if not as_json:
            _tell(shown)
            typer.echo(f"{counts(changes)}. Nothing has changed; cuebird schedule import does it.")
    else:
        if not plan or older is None:
            raise typer.BadParameter("give a FILE, or --plan with --from and --to")
        with PlanDesk(loaded).versions() as kept:
            changes = kept.between(plan, older, newer or kept.versions(plan)[0].number)
        if not as_json:
            _show_changes(changes)
            typer.echo(counts(changes))
    if as_json:
        _echo({"changes": change_facts(changes), "rows": [asdict(row) for row in change_rows(changes)]})


def versions(
    plan: Annotated[str, typer.Argument(metavar="[PLAN]", help="Name of the plan; without one, every plan's newest.")] = "",
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of a plan, newest first: who, when, which file, what it changed."""
    from console.plan_import import PlanDesk, version_facts
    from console.plan_showing import show_versions

    with PlanDesk(_load(config)).versions() as kept:
        found = kept.versions(plan) if plan else kept.plans()
    if as_json:
        _echo({"versions": [version_facts(one) for one in found]})
    elif found:
        show_versions(found, of_plan=bool(plan))
    else:
        typer.echo("No plan has been imported yet.")


def rollback(plan: Plan, number: Number, config: ConfigOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Make the airings of an earlier version stand again; it becomes the plan's newest version."""
    from console.plan_import import PlanDesk, change_facts, counts, version_facts

    desk = PlanDesk(_load(config))
    with desk.versions() as kept:
        preview = kept.preview(plan, kept.airings_of(plan, number))
    if not as_json:
        _show_changes(preview.changes)
    agreed = _agreed(preview.changes, yes=yes, as_json=as_json)
    done = desk.roll_back(plan, number, actor=getpass.getuser(), base=preview.base, drops_max=agreed)
    if as_json:
        facts = {"plan": plan, "changes": change_facts(done.result.changes), "version": version_facts(done.result.version)}
        _echo({**facts, "engine_reloaded": done.reloaded})
    elif not done.result.is_new:
        typer.echo(f"Nothing changes: the plan {plan} stands as version {number} had it.")
    else:
        told = (
            f"{counts(done.result.changes)}. Version {done.result.version.number} of the plan {plan} is version {number} again."
        )
        typer.echo(told)
        _tell_reloaded(reloaded=done.reloaded)


def _load(config: Path | None) -> "Config":
    from console.config import find_config, load_config

    return load_config(find_config(config))


def _read(file: Path, config: "Config", choices: "Choices") -> "Source":
    from console.plan_sources import read

    with told_if_slow(f"reading {file.name}"):
        return read(file, config, choices)


def _shown(file: Path, config: "Config", choices: "Choices", plan_id: str, *, as_json: bool) -> "Shown":
    """The plan beside what stands; one with errors ends the command."""
    from console.plan_import import PlanDesk, plan_facts
    from console.plan_showing import show_problems

    source = _read(file, config, choices)
    if source.plan.errors:
        if as_json:
            _echo(plan_facts(source))
        else:
            show_problems(source)
        typer.echo(f"cuebird: {file}: not imported, nothing has changed; mend the errors above", err=True)
        raise typer.Exit(1)
    with told_if_slow("comparing it with what stands"):
        return PlanDesk(config).show(source, plan_id)


def _tell(shown: "Shown") -> None:
    from console.plan_showing import show_problems

    show_problems(shown.source)
    _show_changes(shown.preview.changes)


def _show_changes(changes: "PlanChanges") -> None:
    from console.plan_import import change_rows
    from console.plan_showing import show_changes

    show_changes(change_rows(changes))


def _agreed(changes: "PlanChanges", *, yes: bool, as_json: bool) -> int:
    """How many airings may be dropped; nobody there to ask is a no."""
    from schedules.plan import counted

    dropped = len(changes.dropped)
    if dropped and not yes:
        airings = counted(dropped, "airing")
        if as_json or not _is_person_there():
            typer.echo(f"cuebird: {airings} would be dropped; nothing has changed. Give --yes if it is meant", err=True)
            raise typer.Exit(1)
        if not typer.confirm(f"Drop {airings}?"):
            typer.echo("Nothing has changed.")
            raise typer.Exit(1)
    return dropped


def _is_person_there() -> bool:
    import sys

    return sys.stdin.isatty()


def _tell_reloaded(*, reloaded: bool) -> None:
    typer.echo("The running engine has taken it up." if reloaded else "No engine is running; it will find them when it starts.")


def _echo(facts: dict[str, Any]) -> None:
    typer.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=lambda instant: instant.isoformat()))
