"""`cuebird scte35`: read what a broadcaster's markers say."""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.errors import ConsoleError

if TYPE_CHECKING:
    from hardware.scte35 import SpliceMessage

CHUNK_BYTES = 1 << 16
TEXT_BYTES_MAX = 16 << 20
_SYNC = b"\x47"
_ROW = "{:>12}  {:>6}  {:>12}  {:>10}  {:<44}  {:>12}  {:>10}  {}"


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Read broadcasters' markers (SCTE-35).")
    group.callback()(lambda: None)  # a group of one verb would otherwise be the verb itself
    group.command("decode")(decode)
    app.add_typer(group, name="scte35")


def decode(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|TEXT",
            help="A transport stream, a file with a message a line, - for standard input, or one message in base64 or hex.",
        ),
    ],
    *,
    program: Annotated[int | None, typer.Option(min=1, max=65_535, help="Only this programme of a transport stream.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a message, one a line.")] = False,
) -> None:
    """Print each message: where it stands, what begins or ends at which instant of the stream, and what it is."""
    message = None if what == "-" or _is_file(what) else _message_in(what)
    if not as_json:
        typer.echo(_ROW.format("offset", "pid", "clock", "event", "what", "at", "lasts", "which"))
    if message is not None:
        _print(message, {}, as_json=as_json)
        return
    chunks = _chunks(what)
    first = next(chunks, b"")
    if _SYNC in first[:1024] and first[:1024].count(_SYNC) >= 2 and not first[:256].isascii():
        _decode_stream(itertools.chain((first,), chunks), program, as_json=as_json)
    else:
        _decode_lines(_text_of(what, itertools.chain((first,), chunks)), as_json=as_json)


def _is_file(what: str) -> bool:
    try:
        return Path(what).exists()
    except OSError:  # a message is longer than a file's name may be
        return False


def _message_in(text: str) -> "SpliceMessage":
    from hardware.scte35 import SectionError, decode_section, section_from_text

    try:
        section = section_from_text(text)
    except SectionError as error:
        raise ConsoleError(f"no such file, and no message: {error}") from error
    try:
        return decode_section(section)
    except SectionError as error:
        raise ConsoleError(f"this message cannot be decoded: {error}; copy it again, whole") from error


def _chunks(name: str) -> Iterator[bytes]:
    with open(0, "rb", closefd=False) if name == "-" else Path(name).open("rb") as stream:
        # read1 gives what is there, so that a live stream is decoded as it comes.
        while chunk := stream.read1(CHUNK_BYTES):
            yield chunk


def _text_of(name: str, chunks: Iterable[bytes]) -> str:
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) > TEXT_BYTES_MAX:
            raise ConsoleError(f"{name}: more than {TEXT_BYTES_MAX} bytes and no transport stream; split it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConsoleError(f"{name}: neither a transport stream nor text with a message a line; give one of them") from error


def _decode_stream(chunks: Iterable[bytes], program: int | None, *, as_json: bool) -> None:
    from hardware.scte35 import HeardMessage, TransportDecoder

    decoder = TransportDecoder(program=program)
    for event in (event for chunk in chunks for event in decoder.feed(chunk)):
        if isinstance(event, HeardMessage):
            where = {"offset": event.offset, "program": event.program, "pid": event.pid, "registered": event.registered}
            _print(event.message, {**where, "clock_pts": event.clock_pts}, as_json=as_json)
    why = f" (the last: {decoder.last_fault})" if decoder.last_fault else ""
    gaps = f", {decoder.lost_packets} gaps" if decoder.lost_packets else ""
    typer.echo(f"{decoder.good_sections} messages, {decoder.bad_sections} damaged{why}{gaps}", err=True)
    if not any(decoder.programs.values()):
        typer.echo("no programme names a stream of markers (type 86)", err=True)


def _decode_lines(text: str, *, as_json: bool) -> None:
    from hardware.scte35 import SectionError, decode_section, section_from_text

    good = bad = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            message = decode_section(section_from_text(line))
        except SectionError as error:
            bad += 1
            typer.echo(f"line {number}: {error}", err=True)
        else:
            good += 1
            _print(message, {"line": number}, as_json=as_json)
    typer.echo(f"{good} messages, {bad} damaged", err=True)


def _print(message: "SpliceMessage", where: dict[str, Any], *, as_json: bool) -> None:
    from hardware.scte35.facts import facts_of, rows_of
    from hardware.scte35.message import TICKS_PER_S

    if as_json:
        typer.echo(json.dumps({**where, **facts_of(message)}))
        return
    clock = where.get("clock_pts")
    place = where.get("offset", f"line {where['line']}" if "line" in where else "")
    shown = "" if clock is None else f"{clock / TICKS_PER_S:.3f}"
    for row in rows_of(message):
        typer.echo(_ROW.format(place, where.get("pid", ""), shown, *row).rstrip())
