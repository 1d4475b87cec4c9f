"""Options that mean the same wherever they stand on the command line."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; else $CUEBIRD_CONFIG, else ./cuebird.toml.")
]
By = Annotated[str | None, typer.Option(help="Who does it; else the user of this shell.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
