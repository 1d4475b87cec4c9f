"""The effective configuration as text: TOML for people, JSON for programs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from console.config import Config, mask_url


def as_toml(config: Config, path: Path) -> str:
    """The configuration as TOML that could be loaded again, but for masked secrets.

    Keys that the file leaves out are marked `# default`, files that are not there `# no such file`.
    """
    lines = [f"# effective configuration of {path}"]
    for key, table in _tables(config):
        header = f"[[{key.partition('[')[0]}]]" if "[" in key else f"[{key}]"
        lines += ["", header, *_lines(table)]
    return "\n".join(lines) + "\n"


def as_json_text(config: Config, path: Path) -> str:
    """The configuration as one JSON object: `file`, `settings`, and `files` with `key`, `path`, `exists`."""
    settings = config.model_dump(mode="json", by_alias=True)
    for source in (*settings["feed"], *settings["marker_source"]):
        source["url"] = mask_url(source["url"])
    files = [
        {"key": f"{key}.{name}", "path": str(value), "exists": os.path.exists(value)}
        for key, table in _tables(config)
        for name, value in table
        if isinstance(value, Path)
    ]
    return json.dumps({"file": str(path.absolute()), "settings": settings, "files": files}, indent=2, ensure_ascii=False) + "\n"


def _tables(config: Config) -> Iterator[tuple[str, BaseModel]]:
    """Each table with its key path, `mqtt` or `feed[0]`."""
    for name, field in Config.model_fields.items():
        key, value = field.alias or name, getattr(config, name)
        if isinstance(value, BaseModel):
            yield key, value
        elif value is not None:
            yield from ((f"{key}[{index}]", one) for index, one in enumerate(value))


def _lines(table: BaseModel) -> Iterator[str]:
    for name, value in table:
        notes = []
        if name not in table.model_fields_set:
            notes.append("default")
        if isinstance(value, Path) and not os.path.exists(value):
            notes.append("no such file")
        note = f"  # {', '.join(notes)}" if notes else ""
        yield f"# {name} is not set" if value is None else f"{_pair(name, value)}{note}"


def _pair(name: str, value: Any) -> str:
    if isinstance(value, Path):
        value = str(value)
    if name == "url":
        value = mask_url(value)
    if isinstance(value, dict):
        # In one line: a header of its own would end the table it stands in.
        pairs = ", ".join(tomli_w.dumps({key: one}).strip() for key, one in value.items())
        return f"{name} = {{{pairs and f' {pairs} '}}}"
    return tomli_w.dumps({name: value}).rstrip("\n")
