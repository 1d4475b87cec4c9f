"""The command `cuebird`: its groups of verbs, and what a person sees when something is wrong.

Exit codes: 0 done, 1 it could not be done (one sentence on standard error says why), 2 the command
line itself is wrong, 130 interrupted. Heavy packages are imported by the verbs that need them, so
that `cuebird --help` answers at once.
"""

import errno
import logging
import os
import sys
from importlib import import_module, metadata
from typing import Annotated

import typer

from console.child import SUPERVISED, die_with_parent
from console.logs import write_logs

FORESEEN = (
    ("console.errors", "ConsoleError"),
    ("sync.errors", "SyncError"),
    ("fingerprints.errors", "FingerprintsError"),
    ("hardware.errors", "HardwareError"),
    ("schedules.errors", "SchedulesError"),
    ("bench.errors", "BenchError"),
)
"""Root errors of the packages: their messages are written for people and printed as they are."""

GROUPS = (
    *("demo", "serve", "config", "listening", "delay", "spots", "calibration", "schedule", "report", "cues"),
    *(
        "scoreboard",
        "scte35",
        "bench",
        "gateway",
        "sandbox",
        "engine",
        "firing",
        "account",
        "user",
        "audit",
        "simulate",
        "rehearse",
        "chaos",
        "run",
    ),
)
"""Modules of `console.commands`, in the order of the help page."""

OURS = ("bench", "console", "fingerprints", "hardware", "schedules", "sync", "timebase")
"""Our packages: one of their modules missing is a broken installation, not a small one."""

ALONE = "gateway"
"""A module whose commands need no other's: the small computer that runs them loads only it, which saves time and 4 MB."""

EXIT_FAILED = 1

app = typer.Typer(
    name="cuebird",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Posts a sponsor's pre-approved tweet at the moment a spot airs or a goal is scored.",
    epilog="New here? [bold]cuebird demo[/bold] shows the whole job on this machine.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cuebird {metadata.version('cuebird')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log to standard error.")] = False,
) -> None:
    write_logs(sys.stderr, level=logging.INFO if verbose else logging.WARNING)


def _register(word: str = "") -> None:
    """Add the commands: every module's, unless `word`, the first of the command line, is one that stands alone."""
    for group in (ALONE,) if word == ALONE else GROUPS:
        import_module(f"console.commands.{group}").register(app)


def sentence(error: BaseException) -> str | None:
    """One sentence for people about a foreseeable error, None for one nobody foresaw."""
    for module, name in FORESEEN:
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, getattr(loaded, name)):
            return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name is not None and error.name.partition(".")[0] not in OURS:
        missing = f"{error.name} is not installed: a gateway's installation runs cuebird gateway only"
        return f"{missing}; for the rest pip install 'cuebird[engine]'"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{error.strerror or error}; another program uses this port: stop it or choose another port"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full ({error.filename or 'no name given'}); free some space and run this again"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None


def main() -> None:
    """Run the command line and exit. Wrong command lines and Ctrl-C are Typer's to answer."""
    if SUPERVISED in os.environ:
        die_with_parent()
    _register(next((word for word in sys.argv[1:] if not word.startswith("-")), ""))
    try:
        app()
    except BaseExceptionGroup as group:
        _fail(_first(group))
    except Exception as error:
        _fail(error)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fail(error: BaseException) -> None:
    text = sentence(error)
    if text is None:
        raise error
    typer.echo(f"cuebird: {text}", err=True)
    sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
