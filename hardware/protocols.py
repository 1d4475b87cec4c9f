"""The scoreboard protocols that Cuebird speaks, by name."""

from collections.abc import Callable
from dataclasses import dataclass

from hardware import oes, stramatel
from hardware.board import Board
from hardware.decoding import Decoder
from hardware.errors import UnknownProtocolError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreboardProtocol:
    """How one kind of console is read and imitated.

    Attributes:
        name: as on the command line, in the configuration and in readings.
        console: the maker's product, for people.
        baud: speed of its serial line, always 8 data bits, no parity, 1 stop bit.
        decoder: makes a new decoder.
        encode: one cycle of frames for a board; `sport` chooses between layouts where there are several.
        cycle_ms: time from one cycle's beginning to the next.
    """

    name: str
    console: str
    baud: int
    decoder: Callable[[], Decoder]
    encode: Callable[[Board, str], list[bytes]]
    cycle_ms: int


def _encode_oes(board: Board, sport: str) -> list[bytes]:
    del sport
    return oes.encode(board)


def _encode_stramatel(board: Board, sport: str) -> list[bytes]:
    return stramatel.encode_basketball(board) if sport == "basketball" else stramatel.encode(board)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        ScoreboardProtocol(
            name=oes.NAME, console="OES ISC9000", baud=oes.BAUD, decoder=oes.decoder, encode=_encode_oes, cycle_ms=100
        ),
        ScoreboardProtocol(
            name=stramatel.NAME,
            console="Stramatel, TV output",
            baud=stramatel.BAUD,
            decoder=stramatel.decoder,
            encode=_encode_stramatel,
            cycle_ms=100,
        ),
    )
}


def protocol_named(name: str) -> ScoreboardProtocol:
    """The protocol called `name`.

    Raises:
        UnknownProtocolError: there is none; the message names those there are.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise UnknownProtocolError(f"{name}: not a known scoreboard protocol; known are {', '.join(sorted(PROTOCOLS))}") from None
