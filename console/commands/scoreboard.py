"""`cuebird scoreboard`: read what a console sent, or imitate one."""

import asyncio
import itertools
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from hardware.events import Reading
    from hardware.fuzzing import FuzzResult
    from hardware.match import Match
    from hardware.scoreboards.decoding import Decoder
    from hardware.scoreboards.protocols import ScoreboardProtocol
    from hardware.simulator import Line

CHUNK_BYTES = 1 << 16
SCRIPT_BYTES_MAX = 1 << 20
SPEED_MAX = 1000.0


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Decode scoreboard consoles, and imitate them.")
    group.command("decode")(decode)
    group.command("protocols")(protocols)
    group.command("simulate")(simulate)
    group.command("fuzz")(fuzz)
    app.add_typer(group, name="scoreboard")


def decode(
    file: Annotated[Path, typer.Argument(help="Recorded bytes of a console's line; - reads standard input.")],
    protocol: Annotated[str, typer.Option(help="A name from `cuebird scoreboard protocols`; auto finds it out.")] = "auto",
    output: Annotated[Literal["jsonl", "table"], typer.Option("--format", help="One JSON object a line, or a table.")] = "table",
) -> None:
    """Print every reading in a recording: where it began, the score, the clock, and whether it is to be believed."""
    from hardware.scoreboards.protocols import protocol_named
    from hardware.scoreboards.recognition import AutoDecoder

    known = None if protocol == "auto" else protocol_named(protocol)
    decoder = known.decoder() if known else AutoDecoder()
    with _opened(file) as stream:
        if output == "table":
            typer.echo(f"{'offset':>10}  {'home':>4}  {'away':>4}  {'clock':>5}  {'period':>6}  running  valid")
        for readings in _batches(decoder, stream):
            lines = [_row(reading) if output == "table" else json.dumps(_facts(reading)) for reading in readings]
            typer.echo("\n".join(lines), nl=bool(lines))
    if isinstance(decoder, AutoDecoder):
        known = decoder.protocol
        typer.echo(f"recognised as {known.name if known else 'nothing'}", err=True)
    if known is not None:
        basis = ", ".join(known.provenance)
        provisional = "; provisional: known from other people's code only" if known.provisional else ""
        typer.echo(f"{known.name}: {known.console} (basis: {basis}{provisional})", err=True)
    typer.echo(f"{decoder.good_frames} good frames, {decoder.bad_frames} damaged", err=True)


def protocols(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as one JSON array.")] = False,
) -> None:
    """List the consoles that can be read: sports, lines and speeds, checks, and how each protocol is known."""
    from hardware.scoreboards.protocols import PROTOCOLS

    if as_json:
        typer.echo(json.dumps([_protocol_facts(one) for one in PROTOCOLS.values()], indent=1))
        return
    for one in PROTOCOLS.values():
        facts = _protocol_facts(one)
        typer.echo(one.name + ("  (provisional: known from other people's code only)" if one.provisional else ""))
        for label, key in (
            ("console", "console"), ("sports", "sports"), ("line", "transport"), ("check", "check"), ("basis", "provenance"),
            ("also", "aliases"),
        ):  # fmt: skip
            shown = facts[key]
            typer.echo(f"  {label:<8} {', '.join(shown) if isinstance(shown, list) else shown}")


def _protocol_facts(protocol: "ScoreboardProtocol") -> dict[str, object]:
    line = f"serial {' or '.join(str(speed) for speed in protocol.speeds)} 8{protocol.parity}1" if protocol.speeds else ""
    return {
        "name": protocol.name,
        "aliases": list(protocol.aliases),
        "console": protocol.console,
        "sports": list(protocol.sports),
        "transport": "; ".join(part for part in (protocol.network, line) if part),
        "speeds": list(protocol.speeds),
        "check": protocol.check.value,
        "provenance": [basis.value for basis in protocol.provenance],
        "provisional": protocol.provisional,
    }


def _opened(file: Path) -> BufferedReader:
    return open(0, "rb", closefd=False) if str(file) == "-" else file.open("rb")


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    # read1 gives what is there, so that a live line is decoded as it comes.
    while chunk := stream.read1(CHUNK_BYTES):
        yield chunk


def _batches(decoder: "Decoder", stream: BufferedReader) -> "Iterator[list[Reading]]":
    for chunk in _chunks(stream):
        yield decoder.feed(chunk)
    yield decoder.finish()


def _facts(reading: "Reading") -> dict[str, object]:
    return {
        "offset": reading.offset,
        "home": reading.home,
        "away": reading.away,
        "clock": reading.clock,
        "period": reading.period,
        "running": reading.running,
        "valid": reading.valid,
    }


def _row(reading: "Reading") -> str:
    running = {True: "yes", False: "no", None: ""}[reading.running]
    home, away = ("" if points is None else points for points in (reading.home, reading.away))
    valid = "yes" if reading.valid else "no"
    return f"{reading.offset:>10}  {home:>4}  {away:>4}  {reading.clock:>5}  {reading.period:>6}  {running:>7}  {valid:>5}"


def simulate(
    protocol: Annotated[str, typer.Argument(help="A name from `cuebird scoreboard protocols`.")],
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Serve on this address; port 0 takes any.")] = "127.0.0.1:4001",
    serial: Annotated[bool, typer.Option("--pty", help="Offer a pseudo-terminal, like a serial port, instead.")] = False,
    script: Annotated[Path | None, typer.Option(help="What happens when (TOML); without it the board just runs.")] = None,
    made_up: Annotated[
        bool, typer.Option("--random", help="Make a match up instead: an hour of everything, faults included.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the made-up match, the damage and the junk; the same seed plays the same.")] = 1,
    sport: Annotated[
        str | None, typer.Option(help="Chooses the frames where a protocol has several; the console's usual sport unless said.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=SPEED_MAX, help="How many times faster than in earnest.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is as one JSON object.")] = False,
) -> None:
    """Play a match on a simulated console: real frames at the real pace. Stop it with Ctrl-C."""
    from hardware.match import random_match
    from hardware.scoreboards.protocols import protocol_named
    from hardware.simulator import pty_line, tcp_line

    spoken = protocol_named(protocol)
    played = spoken.sport(sport)
    if made_up and script is not None:
        raise typer.BadParameter("give a script or --random, not both", param_hint="--random")
    match = random_match(sport=played, seed=seed) if made_up else _match(script)
    line: AbstractAsyncContextManager[Line]
    if serial:
        line = pty_line(spoken)
    else:
        host, port = _host_port(listen)
        line = tcp_line(host, port)
    asyncio.run(_simulate(spoken, match, line, sport=played, seed=seed, speed=speed, as_json=as_json))


def fuzz(
    names: Annotated[list[str] | None, typer.Argument(metavar="[PROTOCOL]...", help="Which; all unless said.")] = None,
    *,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="How long.")] = 60.0,
    seed: Annotated[int, typer.Option(help="The first seed; each match and each noise has its own.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sums as one JSON object.")] = False,
) -> None:
    """Play made-up matches and noise through damage of every kind; exit 3 if a score event comes that did not happen."""
    import time

    from hardware.fuzzing import FuzzResult, fuzz_match, fuzz_noise
    from hardware.scoreboards.protocols import PROTOCOLS, protocol_named

    played = [protocol_named(name) for name in names or PROTOCOLS]
    sums = {protocol.name: FuzzResult() for protocol in played}
    end_s = time.monotonic() + seconds
    for count, protocol in enumerate(itertools.cycle(played)):
        if time.monotonic() >= end_s:
            break
        for one in (fuzz_match, fuzz_noise):
            result = one(protocol, seed=seed + count // len(played))
            sums[protocol.name] += result
            for event in result.false_events:
                typer.echo(f"false event: {event}", err=True)
    if as_json:
        typer.echo(json.dumps({"first_seed": seed, "protocols": {name: _sums(result) for name, result in sums.items()}}))
    else:
        typer.echo(f"{'protocol':<15} {'MB':>7} {'good frames':>12} {'damaged':>9} {'events':>7} {'false':>6}")
        for name, result in sums.items():
            typer.echo(
                f"{name:<15} {result.data_bytes / 1e6:>7.1f} {result.good_frames:>12} {result.bad_frames:>9}"
                f" {result.true_events:>7} {len(result.false_events):>6}"
            )
    if any(result.false_events for result in sums.values()):
        raise typer.Exit(3)


def _sums(result: "FuzzResult") -> dict[str, int]:
    return {
        "data_bytes": result.data_bytes,
        "good_frames": result.good_frames,
        "bad_frames": result.bad_frames,
        "true_events": result.true_events,
        "false_events": len(result.false_events),
    }


def _match(script: Path | None) -> "Match":
    from hardware.errors import ScriptError
    from hardware.match import Match, parse_match
    from hardware.scoreboards.board import Board

    if script is None:
        return Match(start=Board(clock_tenths=20 * 600, period="1", running=True), steps=())
    data = script.read_bytes()
    if len(data) > SCRIPT_BYTES_MAX:
        raise ScriptError(f"{script}: {len(data)} bytes; a match script has at most {SCRIPT_BYTES_MAX}")
    try:
        return parse_match(data.decode(), name=str(script))
    except UnicodeDecodeError as error:
        raise ScriptError(f"{script}: not UTF-8 text; save it as UTF-8") from error


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) <= 65535):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, for example 127.0.0.1:4001", param_hint="--listen")
    return host.strip("[]"), int(port)


async def _simulate(
    protocol: "ScoreboardProtocol",
    match: "Match",
    opening: "AbstractAsyncContextManager[Line]",
    *,
    sport: str,
    seed: int,
    speed: float,
    as_json: bool,
) -> None:
    from hardware.simulator import play
    from timebase import SystemClock

    async with opening as line:
        facts = {"ready": True, "protocol": protocol.name, "address": line.address}
        typer.echo(json.dumps(facts) if as_json else f"{protocol.console} on {line.address}; stop it with Ctrl-C")
        sys.stdout.flush()
        playing = asyncio.create_task(
            play(protocol, match, line, clock=SystemClock(), sport=sport, seed=seed, speed=speed), name="simulated-console"
        )
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, playing.cancel)
        await asyncio.wait({playing})
        if not playing.cancelled():
            playing.result()
