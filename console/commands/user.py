"""`cuebird user add|list|remove`: who may log in to the web console."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import ConfigOption

if TYPE_CHECKING:
    from console.users import People

StateOption = Annotated[Path | None, typer.Option("--state-dir", help="State folder; then no configuration is read.")]
_PASSWORD_BYTES_MAX = 4096


class RoleName(StrEnum):
    """The roles as the command line takes them; `console.users.Role` says what they may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Accounts of the people who use the web console.")
    group.command("add")(add)
    group.command("list")(list_people)
    group.command("remove")(remove)
    app.add_typer(group, name="user")


def add(
    name: Annotated[str, typer.Argument(help="Log-in name: a-z 0-9 . _ @ -")],
    role: Annotated[
        RoleName, typer.Option(help="viewer sees and may kill; operator also releases and changes the mode.")
    ] = RoleName.VIEWER,
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password; - reads standard input.")
    ] = None,
    config: ConfigOption = None,
    state_dir: StateOption = None,
) -> None:
    """Make an account. The password is asked for, unless it comes from a file or through a pipe."""
    from console.users import Role

    with _recorded_people(config, state_dir) as people:
        person = people.add(name, Role(role.value), _password(password_file))
    typer.echo(f"{person.name} may log in as {person.role}")


def list_people(config: ConfigOption = None, state_dir: StateOption = None) -> None:
    """Show every account with its role."""
    from rich.console import Console
    from rich.table import Table

    everyone = _people(config, state_dir).everyone()
    if not everyone:
        typer.echo("nobody may log in yet; make the first account with: cuebird user add NAME --role admin")
        return
    table = Table("name", "role", "since (UTC)", box=None, pad_edge=False)
    for person in everyone:
        table.add_row(person.name, person.role.value, f"{person.created_utc:%Y-%m-%d %H:%M}")
    Console().print(table)


def remove(
    name: Annotated[str, typer.Argument(help="Log-in name")], config: ConfigOption = None, state_dir: StateOption = None
) -> None:
    """Remove an account and end its sessions at once."""
    with _recorded_people(config, state_dir) as people:
        people.remove(name)
    typer.echo(f"{name} may no longer log in")


def _people(config: Path | None, state_dir: Path | None) -> "People":
    from console.users import DATABASE_NAME, ConsoleDatabase, People
    from timebase import SystemClock

    if state_dir is None:
        from console.config import find_config, load_config

        state_dir = load_config(find_config(config)).paths.state_dir
    return People(ConsoleDatabase(state_dir / DATABASE_NAME), SystemClock())


@contextmanager
def _recorded_people(config: Path | None, state_dir: Path | None) -> "Iterator[People]":
    """The accounts, with the ledger's audit record as witness of what is done to them."""
    from console.users import DATABASE_NAME, ConsoleDatabase, People
    from sync.audit import AuditFiles
    from sync.ledger import Ledger
    from sync.setup import LEDGER_NAME
    from timebase import SystemClock

    if state_dir is None:
        from console.config import find_config, load_config
        from console.ledgers import audit_files

        loaded = load_config(find_config(config))
        state_dir, target, files = loaded.paths.state_dir, loaded.ledger, audit_files(loaded)
    else:
        target = state_dir / LEDGER_NAME
        files = AuditFiles.beside(target)
    actor, clock = getpass.getuser(), SystemClock()
    ledger = Ledger.open(target, clock=clock, mode=None, audit=files)

    def record(kind: str, facts: dict[str, str]) -> None:
        ledger.add_event(kind, actor=actor, **facts)

    try:
        yield People(ConsoleDatabase(state_dir / DATABASE_NAME), clock, record=record)
    finally:
        ledger.close()


def _password(password_file: Path | None) -> str:
    if password_file is not None and str(password_file) != "-":
        with password_file.open(encoding="utf-8") as file:
            return file.readline(_PASSWORD_BYTES_MAX).rstrip("\r\n")
    if password_file is not None or not sys.stdin.isatty():
        return sys.stdin.readline(_PASSWORD_BYTES_MAX).rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password
