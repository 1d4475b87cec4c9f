"""`cuebird config`: what the program would run with, every default filled in."""

import typer

from console.options import AsJson, ConfigOption


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("config")(show)


def show(
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the effective configuration: every default filled in, secrets masked.

    Files are shown by path and by whether they exist; what is in them is never read.
    """
    from console.config import find_config, load_config
    from console.effective import as_json_text, as_toml

    path = find_config(config)
    loaded = load_config(path)
    typer.echo(as_json_text(loaded, path) if as_json else as_toml(loaded, path), nl=False)
