"""`cuebird config`: what the program would run with, every default filled in."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("config")(show)


def show(
    config: Annotated[Path | None, typer.Option(help="Configuration file; else $CUEBIRD_CONFIG, else ./cuebird.toml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the effective configuration: every default filled in, secrets masked.

    Files are shown by path and by whether they exist; what is in them is never read.
    """
    from console.config import find_config, load_config
    from console.effective import as_json_text, as_toml

    path = find_config(config)
    loaded = load_config(path)
    typer.echo(as_json_text(loaded, path) if as_json else as_toml(loaded, path), nl=False)
