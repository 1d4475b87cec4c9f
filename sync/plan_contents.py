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


def packed(airings: Iterable[Airing]) -> bytes:
    """The airings as compressed JSON: a list of lists, in the order of `Airing`'s fields, instants in microseconds since 1970."""
    rows = [
        (
            one.airing_id,
            one.channel,
            one.spot_id,
            one.number,
            (one.planned_utc - _EPOCH_UTC) // _MICROSECOND,
            (one.opens_utc - _EPOCH_UTC) // _MICROSECOND,
            (one.closes_utc - _EPOCH_UTC) // _MICROSECOND,
            one.raw,
            one.row,
        )
        for one in airings
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), _QUICKLY)


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
