"""`cuebird delay`: how far one feed lags behind another that carries the same programme."""

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fingerprints.delay import Delay
    from fingerprints.sources import Channel

EXIT_INTERRUPTED = 130


class DelayFormat(StrEnum):
    """How measurements are printed."""

    JSONL = "jsonl"
    TABLE = "table"


def register(app: typer.Typer) -> None:
    """Add the verb to the root app."""
    app.command("delay")(delay)


def delay(
    feed_a: Annotated[str, typer.Argument(metavar="FEED_A", help="URL, file, or the id of a configured feed.")],
    feed_b: Annotated[str, typer.Argument(metavar="FEED_B", help="The one that may be behind.")],
    output: Annotated[
        DelayFormat, typer.Option("--format", help="One JSON object a line, or columns to read.")
    ] = DelayFormat.TABLE,
    reach_s: Annotated[float, typer.Option("--range", min=10, max=300, help="Seconds the two may lie apart.")] = 90.0,
    config: Annotated[Path | None, typer.Option(help="Configuration file, for ids of feeds.")] = None,
) -> None:
    """Tell once a second how much later the same sound comes on FEED_B than on FEED_A.

    The audience of FEED_B sees a goal that much later. Ctrl-C ends it.
    """
    import asyncio

    from fingerprints.delay import measure_delay
    from timebase import SystemClock

    (url_a, channel_a), (url_b, channel_b) = _source(feed_a, config), _source(feed_b, config)

    async def tell(found: "Delay") -> None:
        line = _json_line(found) if output is DelayFormat.JSONL else _row(found)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        asyncio.run(measure_delay(url_a, url_b, clock=SystemClock(), tell=tell, range_s=reach_s, channels=(channel_a, channel_b)))
    except KeyboardInterrupt:
        sys.stdout.flush()
        os._exit(EXIT_INTERRUPTED)  # threads wait in libraries that cannot be interrupted, and nothing is left to write


def _source(name: str, config: Path | None) -> "tuple[str, Channel]":
    """The address and channel of what was named."""
    from console.config import find_config, load_config

    if config is not None or not ("://" in name or Path(name).exists() or name == "-"):
        feeds = {feed.id: feed for feed in load_config(find_config(config)).feeds}
        if name in feeds:
            return feeds[name].url, feeds[name].channel_mix
        if "://" not in name and not Path(name).exists():
            known = ", ".join(feeds) or "none"
            raise typer.BadParameter(f"{name}: neither an address nor a file nor a configured feed (there are: {known})")
    return name, "mix"


def _json_line(found: "Delay") -> str:
    fields = {
        "feed_a": found.feed_a,
        "feed_b": found.feed_b,
        "delay_ms": found.delay_ms,
        "confidence": found.confidence,
        "correlation": found.correlation,
        "detail": found.detail,
        "utc": found.utc.isoformat(),
    }
    return json.dumps(fields, ensure_ascii=False)


def _row(found: "Delay") -> str:
    if found.delay_ms is None:
        return f"{found.utc:%H:%M:%S}           –    {found.detail}"
    return (
        f"{found.utc:%H:%M:%S}  {found.delay_ms:+10.1f} ms  confidence {found.confidence:4.0%}  agreement {found.correlation:.2f}"
    )
