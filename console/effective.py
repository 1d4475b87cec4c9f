"""The effective configuration as text: TOML for people, JSON for programs."""

import json
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
    for header, table in _tables(config):
        lines += ["", header, *_lines(table)]
    return "\n".join(lines) + "\n"


def as_json_text(config: Config, path: Path) -> str:
    """The configuration as one JSON object: `file`, `settings`, and `files` with `key`, `path`, `exists`."""
    settings = config.model_dump(mode="json", by_alias=True)
    for feed in settings["feed"]:
        feed["url"] = mask_url(feed["url"])
    files = [
        {"key": f"{header.strip('[]')}.{name}", "path": str(value), "exists": value.exists()}
        for header, table in _tables(config)
        for name, value in table
        if isinstance(value, Path)
    ]
    return json.dumps({"file": str(path.absolute()), "settings": settings, "files": files}, indent=2, ensure_ascii=False) + "\n"


def _tables(config: Config) -> Iterator[tuple[str, BaseModel]]:
    for name, field in Config.model_fields.items():
        key, value = field.alias or name, getattr(config, name)
        if isinstance(value, BaseModel):
            yield f"[{key}]", value
        elif value is not None:
            yield from ((f"[[{key}]]", one) for one in value)


def _lines(table: BaseModel) -> Iterator[str]:
    for name, value in table:
        notes = []
        if name not in table.model_fields_set:
            notes.append("default")
        if isinstance(value, Path) and not value.exists():
            notes.append("no such file")
        note = f"  # {', '.join(notes)}" if notes else ""
        yield f"# {name} is not set" if value is None else f"{_pair(name, value)}{note}"


def _pair(name: str, value: Any) -> str:
    if isinstance(value, Path):
        value = str(value)
    if name == "url":
        value = mask_url(value)
    return tomli_w.dumps({name: value}).rstrip("\n")
