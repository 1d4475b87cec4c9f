"""The scoreboard protocols that Cuebird speaks, by name."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from hardware.errors import SettingError, UnknownProtocolError
from hardware.scoreboards import (
    bodet,
    cts,
    daktronics,
    favero,
    livestats,
    mp70,
    oes,
    stramatel,
    stramatel_452m,
    swiss_timing,
)
from hardware.scoreboards.board import Encoder
from hardware.scoreboards.decoding import Decoder


class Provenance(enum.StrEnum):
    """How we know a protocol; several are joined by the registry."""

    CAPTURE = "capture"
    """Checked against real bytes."""
    MANUAL = "manual"
    """The maker's document."""
    CODE = "code"
    """Known only from other people's code: provisional."""


class Check(enum.StrEnum):
    """What a protocol does against damage."""

    NONE = "none"
    """Nothing: a change needs a second equal reading."""
    SUM_8 = "sum, 8 bits"
    SUM_7 = "sum, 7 bits"
    XOR_8 = "XOR, 8 bits"
    XOR_7 = "XOR, 7 bits"
    TCP = "TCP and JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreboardProtocol:
    """How one kind of console is read and imitated.

    Attributes:
        name: as on the command line, in the configuration and in readings.
        aliases: other names it answers to.
        console: the maker's products, for people.
        sports: whose matches it tells, the usual one first.
        speeds: of its serial line in baud, the usual one first; empty where it has none.
        parity: of its serial line, `N` or `E`; always 8 data bits and 1 stop bit.
        network: how it is reached over a network, for people; empty where it has only a serial line.
        check: what it does against damage.
        provenance: how we know it, the best first.
        decoder: makes a new decoder.
        encoder: makes a new encoder for a sport.
        cycle_ms: time from one cycle's beginning to the next.
        greeting: what it wants to hear, over TCP, before it speaks.
        silence_s: a console that sends nothing for this long is lost.
    """

    name: str
    aliases: tuple[str, ...] = ()
    console: str
    sports: tuple[str, ...]
    speeds: tuple[int, ...] = ()
    parity: str = "N"
    network: str = ""
    check: Check
    provenance: tuple[Provenance, ...]
    decoder: Callable[[], Decoder]
    encoder: Callable[[str], Encoder]
    cycle_ms: int = 100
    greeting: bytes = b""
    silence_s: float = 3.0

    @property
    def baud(self) -> int:
        """The usual speed of its serial line; where it has none, that of the adapters that make one of a network."""
        return self.speeds[0] if self.speeds else 115_200

    @property
    def provisional(self) -> bool:
        """Whether it is known from other people's code only."""
        return self.provenance == (Provenance.CODE,)

    def sport(self, wanted: str | None) -> str:
        """`wanted`, or the usual sport when None.

        Raises:
            SettingError: the console does not tell that sport's matches; the message names those it does.
        """
        if wanted is None:
            return self.sports[0]
        if wanted not in self.sports:
            raise SettingError(f"sport {wanted!r}: {self.name} has no frames for it; use one of {', '.join(self.sports)}")
        return wanted


_ALL = (
    ScoreboardProtocol(
        name=daktronics.NAME,
        aliases=("all-sport-5000", "daktronics-rtd"),
        console="Daktronics All Sport 5000, RTD",
        sports=("basketball", "american_football", "football", "ice_hockey", "volleyball", "water_polo", "handball", "rugby"),
        speeds=(19_200,),
        check=Check.SUM_8,
        provenance=(Provenance.CAPTURE,),
        decoder=daktronics.decoder,
        encoder=daktronics.encoder,
    ),
    ScoreboardProtocol(
        name=bodet.NAME,
        aliases=("scorepad", "bt6000", "mobatime"),
        console="Bodet Scorepad, BT6000; Mobatime",
        sports=("ice_hockey", "floorball", "handball", "basketball"),
        speeds=(9600,),
        network="TCP, the console calls our port 4001",
        check=Check.XOR_7,
        provenance=(Provenance.MANUAL, Provenance.CAPTURE),
        decoder=bodet.decoder,
        encoder=bodet.encoder,
    ),
    ScoreboardProtocol(
        name=stramatel.NAME,
        aliases=("stramatel-tv",),
        console="Stramatel, TV output",
        sports=("ice_hockey", "basketball", "handball", "football", "floorball"),
        speeds=(19_200,),
        check=Check.NONE,
        provenance=(Provenance.MANUAL, Provenance.CAPTURE),
        decoder=stramatel.decoder,
        encoder=stramatel.encoder,
    ),
    ScoreboardProtocol(
        name=stramatel_452m.NAME,
        aliases=("452m", "stramatel-segment"),
        console="Stramatel 452 M, segment format",
        sports=("basketball",),
        speeds=(19_200,),
        check=Check.NONE,
        provenance=(Provenance.CAPTURE,),
        decoder=stramatel_452m.decoder,
        encoder=stramatel_452m.encoder,
    ),
    ScoreboardProtocol(
        name=oes.NAME,
        aliases=("isc9000", "oes-isc9000"),
        console="OES ISC9000",
        sports=("ice_hockey",),
        speeds=(9600,),
        check=Check.SUM_7,
        provenance=(Provenance.CAPTURE,),
        decoder=oes.decoder,
        encoder=oes.encoder,
    ),
    ScoreboardProtocol(
        name=cts.NAME,
        aliases=("colorado", "colorado-time-systems"),
        console="Colorado Time Systems, System 5 and 6",
        sports=("water_polo",),
        speeds=(9600, 2400),
        parity="E",
        check=Check.NONE,
        provenance=(Provenance.CAPTURE,),
        decoder=cts.decoder,
        encoder=cts.encoder,
        # A board of thirty channels takes about half a second to be told once at 9600 baud.
        cycle_ms=500,
    ),
    ScoreboardProtocol(
        name=livestats.NAME,
        aliases=("fiba", "ncaa", "fiba-livestats", "ncaa-livestats"),
        console="FIBA and NCAA LiveStats, TV feed",
        sports=("basketball",),
        network=f"TCP, we call its port {livestats.PORT}",
        check=Check.TCP,
        provenance=(Provenance.CAPTURE,),
        decoder=livestats.decoder,
        encoder=livestats.encoder,
        greeting=livestats.SUBSCRIBE,
        # It speaks when the scorer types, which in a time-out may be a minute apart; TCP tells when it is gone.
        silence_s=60.0,
    ),
    ScoreboardProtocol(
        name=swiss_timing.NAME,
        aliases=("swisstiming",),
        console="Swiss Timing, basketball",
        sports=("basketball",),
        speeds=(9600,),
        check=Check.XOR_8,
        provenance=(Provenance.CODE,),
        decoder=swiss_timing.decoder,
        encoder=swiss_timing.encoder,
    ),
    ScoreboardProtocol(
        name=mp70.NAME,
        aliases=("mp-70", "fairplay", "fair-play", "fairplay-mp70", "trans-lux", "translux"),
        console="Trans-Lux / Fair-Play MP-70",
        sports=("ice_hockey", "basketball"),
        speeds=(9600,),
        check=Check.NONE,
        provenance=(Provenance.CODE,),
        decoder=mp70.decoder,
        encoder=mp70.encoder,
    ),
    ScoreboardProtocol(
        name=favero.NAME,
        aliases=("full-arm-05",),
        console="Favero Full Arm 05",
        sports=("fencing",),
        speeds=(2400,),
        check=Check.SUM_8,
        provenance=(Provenance.MANUAL,),
        decoder=favero.decoder,
        encoder=favero.encoder,
    ),
)

PROTOCOLS = {protocol.name: protocol for protocol in _ALL}
_ALIASES = {alias: protocol for protocol in _ALL for alias in protocol.aliases}


def protocol_named(name: str) -> ScoreboardProtocol:
    """The protocol called `name`, or known by it; capitals, spaces and underscores do not matter.

    Raises:
        UnknownProtocolError: there is none; the message names those there are.
    """
    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    found = PROTOCOLS.get(plain) or _ALIASES.get(plain)
    if found is None:
        raise UnknownProtocolError(f"{name}: not a known scoreboard protocol; known are {', '.join(sorted(PROTOCOLS))}")
    return found
