"""A version's airings as bytes, and back. Pure."""

import json
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from schedules import Airing

_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_QUICKLY = 1
"""Of zlib's levels: a plan is written while somebody waits, and its names repeat so much that every level makes it small."""


PlainAiring = tuple[str, str, str, int, int, int, int, str, int]
"""An airing as its row in the ledger: its fields in their order, instants in microseconds since 1970."""


def plain(airing: Airing) -> PlainAiring:
    """The airing as its row."""
    return (
        airing.airing_id,
        airing.channel,
        airing.spot_id,
        airing.number,
        (airing.planned_utc - _EPOCH_UTC) // _MICROSECOND,
        (airing.opens_utc - _EPOCH_UTC) // _MICROSECOND,
        (airing.closes_utc - _EPOCH_UTC) // _MICROSECOND,
        airing.raw,
        airing.row,
    )


def packed(airings: Iterable[PlainAiring]) -> bytes:
    """The rows as compressed JSON."""
    return zlib.compress(json.dumps(list(airings), separators=(",", ":")).encode(), _QUICKLY)


def unpacked(content: bytes) -> tuple[Airing, ...]:
    """What `packed` was given."""
    return tuple(
        Airing(
            airing_id=airing_id,
            channel=channel,
            spot_id=spot_id,
            number=number,
            planned_utc=_EPOCH_UTC + timedelta(microseconds=planned),
            opens_utc=_EPOCH_UTC + timedelta(microseconds=opens),
            closes_utc=_EPOCH_UTC + timedelta(microseconds=closes),
            raw=raw,
            row=row,
        )
        for airing_id, channel, spot_id, number, planned, opens, closes, raw, row in json.loads(zlib.decompress(content))
    )
