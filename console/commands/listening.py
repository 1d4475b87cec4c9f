"""`cuebird listen`: hear spots on live feeds and print them as they begin."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from enum import StrEnum
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from fingerprints.events import FeedState
    from fingerprints.listener import Report

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
FEEDS_MAX = 64
"""One process each: more belong on more machines."""
CHILD_GRACE_S = 2.0


class LineFormat(StrEnum):
    """How detections are printed."""

    JSONL = "jsonl"
    TABLE = "table"


def register(app: typer.Typer) -> None:
    """Add the verb to the root app."""
    app.command("listen")(listen)


def listen(
    urls: Annotated[
        list[str],
        typer.Argument(
            metavar="URL...",
            help="Streams (http, hls, dash, udp, rtp, rtsp, rtmp, srt, alsa …), audio files, or - for raw samples.",
        ),
    ],
    spots: Annotated[Path, typer.Option(help="Folder with one audio file a spot.")],
    output: Annotated[
        LineFormat, typer.Option("--format", help="One JSON object a line, or columns to read.")
    ] = LineFormat.TABLE,
    false_per_feed_year: Annotated[
        float, typer.Option(min=1e-6, max=1e6, help="Wrong detections allowed per feed and year.")
    ] = 1.0,
    silence_db: Annotated[float, typer.Option(min=-100, max=-10, help="Quieter than this for 2 s is a silent feed.")] = -60.0,
) -> None:
    """Hear spots begin on live feeds.

    Detections go to standard output, a line at a time; how the feeds are goes to standard error. Ctrl-C ends it.
    """
    if len(urls) > FEEDS_MAX:
        raise typer.BadParameter(f"{len(urls)} feeds; at most {FEEDS_MAX} on one machine", param_hint="URL")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options: dict[str, object] = {
        "library_folder": spots,
        "false_per_feed_year": false_per_feed_year,
        "silence_db": silence_db,
        "output": output.value,
    }
    if len(urls) > 1:
        raise typer.Exit(_in_processes(urls, options))
    try:
        _listen_to(urls[0], options)
    except KeyboardInterrupt:
        _leave(EXIT_INTERRUPTED)


def _in_processes(urls: list[str], options: Mapping[str, object]) -> int:
    """Listen to each feed in a process of its own until all have ended; the exit code."""
    import multiprocessing
    from multiprocessing.connection import wait

    spawn = multiprocessing.get_context("spawn")
    children: list[BaseProcess] = []
    try:
        # Ctrl-C reaches every process of the terminal. The children are spared it (an ignored signal is inherited), because
        # a half-started one would answer with a traceback; this process ends them.
        interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for url in urls:
            child = spawn.Process(target=_child, args=(url, dict(options)), name=f"listen {url}", daemon=True)
            child.start()
            children.append(child)
        signal.signal(signal.SIGINT, interrupted)
        running = {child.sentinel: child for child in children}
        while running:
            for ended in wait(list(running)):
                del running[int(str(ended))]
    finally:
        _end(children)
    return EXIT_FAILED if any(child.exitcode for child in children) else 0


def _end(children: list[BaseProcess]) -> None:
    for child in children:
        if child.is_alive():
            child.terminate()
    for child in children:
        child.join(CHILD_GRACE_S)
        if child.is_alive():
            child.kill()
            child.join()


def _child(url: str, options: dict[str, object]) -> None:
    """The main function of a feed's process: ends with its parent, and says what is wrong in a sentence."""
    import logging
    import threading
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    from fingerprints.errors import FingerprintsError

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    parent = parent_process()
    if parent is not None:

        def follow() -> None:
            wait([parent.sentinel])
            os._exit(EXIT_FAILED)

        threading.Thread(target=follow, name="parent watch", daemon=True).start()
    try:
        _listen_to(url, options)
    except FingerprintsError as error:
        _say(f"cuebird: {error}")
        sys.exit(EXIT_FAILED)


def _leave(code: int) -> NoReturn:
    """End this process now: its threads wait in libraries that cannot be interrupted, and nothing is left to write."""
    sys.stderr.flush()
    os._exit(code)


def _listen_to(url: str, options: Mapping[str, object]) -> None:
    import asyncio

    from fingerprints.capture import masked
    from fingerprints.events import FeedStatus
    from fingerprints.listener import run_listener
    from timebase import SystemClock

    feed_id = masked(url)
    table = options["output"] == LineFormat.TABLE
    last: list[tuple[FeedState, str]] = []

    async def sink(report: "Report") -> None:
        if not isinstance(report, FeedStatus):
            _print(row(report) if table else json_line(report))
        elif not last or last[0][0] is not report.state:
            last[:] = [(report.state, report.detail)]
            _say(f"{feed_id}: {report.state.value}{f' ({report.detail})' if report.detail else ''}")

    asyncio.run(
        run_listener(
            feed_id=feed_id,
            url=url,
            library_folder=Path(str(options["library_folder"])),
            false_per_feed_year=float(str(options["false_per_feed_year"])),
            silence_db=float(str(options["silence_db"])),
            clock=SystemClock(),
            sink=sink,
        )
    )


def json_line(report: "Report") -> str:
    """A detection, or how far a spot ran, as one JSON object without a line end."""
    from fingerprints.events import FeedStatus
    from fingerprints.lines import fields_of

    assert not isinstance(report, FeedStatus)
    return json.dumps(fields_of(report, feed=report.feed_id), ensure_ascii=False)


def row(report: "Report") -> str:
    """The same for people: one line in columns."""
    from fingerprints.events import FeedStatus
    from fingerprints.lines import fields_of, row_of

    assert not isinstance(report, FeedStatus)
    return row_of(fields_of(report, feed=report.feed_id))


def _print(line: str) -> None:
    """Write a whole line at once, so that lines of several processes never mix."""
    try:
        os.write(sys.stdout.fileno(), f"{line}\n".encode())
    except BrokenPipeError:
        _leave(EXIT_FAILED)  # the reader (`| head`) has gone: that is its right


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
