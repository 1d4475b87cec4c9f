"""`cuebird gateway schema` and `fuzz`: what the messages are, and whether the engine's verifier holds."""

import enum
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from console.errors import ConsoleError

if TYPE_CHECKING:
    from hardware.message_fuzzing import MessageFuzzResult

FUZZED_AT_ONCE = 1000
EXIT_FORGED = 3


class Message(enum.StrEnum):
    """The messages of which there is a schema."""

    EVENT = "event"
    STATE = "state"


def schema(message: Annotated[Message, typer.Argument(help="Which message.")]) -> None:
    """Print the JSON Schema of a message, as docs/schemas has it."""
    from hardware.schemas import message_schema

    typer.echo(json.dumps(message_schema(message.value), indent=2))


def fuzz(
    *,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="How long.")] = 60.0,
    seed: Annotated[int, typer.Option(min=1, help="The first seed.")] = 1,
    coverage: Annotated[bool, typer.Option("--coverage", help="Let atheris look for new paths (cuebird[fuzz]).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sums as one JSON object.")] = False,
) -> None:
    """Try forged and broken messages on the engine's verifier; exit 3 if one is believed or breaks it."""
    if coverage:
        _fuzz_by_coverage(seconds, seed, as_json=as_json)
    from hardware.message_fuzzing import MessageFuzz, MessageFuzzResult, fuzz_messages

    tried, result = MessageFuzz(), MessageFuzzResult()
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and not result.failures:
        fuzz_messages(tried, result, seed=seed, messages=FUZZED_AT_ONCE)
        seed += 1
    _tell(result, as_json=as_json)
    if result.failures:
        raise typer.Exit(EXIT_FORGED)


def _fuzz_by_coverage(seconds: float, seed: int, *, as_json: bool) -> NoReturn:
    """The same messages, their bytes chosen by the paths they take; atheris ends the process, so that nothing may follow.

    Raises:
        ConsoleError: atheris is not installed.
    """
    try:
        import atheris
    except ModuleNotFoundError as error:
        raise ConsoleError("atheris is not installed, and runs on Linux only; pip install 'cuebird[fuzz]'") from error
    # Only what is imported in here is watched, and hardware has not been imported before.
    with atheris.instrument_imports(include=["hardware"]):
        from hardware.message_fuzzing import PROGRAMME_BYTES_MAX, MessageFuzz, MessageFuzzResult
    tried, result = MessageFuzz(), MessageFuzzResult()
    end_s = time.monotonic() + seconds

    def once(programme: bytes) -> None:
        tried.run(programme, result)
        if result.failures or time.monotonic() >= end_s:
            _tell(result, as_json=as_json)
            sys.stdout.flush()
            os._exit(EXIT_FORGED if result.failures else 0)

    # atheris' own end would run none of our code; twice the time only bounds a run in which nothing comes of the bytes.
    atheris.Setup(
        [sys.argv[0], f"-seed={seed}", f"-max_len={PROGRAMME_BYTES_MAX}", f"-max_total_time={round(2 * seconds) + 1}"], once
    )
    atheris.Fuzz()
    raise AssertionError("atheris ends the process")


def _tell(result: "MessageFuzzResult", *, as_json: bool) -> None:
    for failure in result.failures:
        typer.echo(f"failure: {failure}", err=True)
    sums = {"messages": result.messages, "believed": result.believed, "refused": dict(sorted(result.refused.items()))}
    reasons = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in result.refused.most_common())
    sentence = f"{result.messages:,} messages: {result.believed:,} believed, as signed; refused: {reasons}"
    typer.echo(json.dumps({**sums, "failures": len(result.failures)}) if as_json else sentence)
