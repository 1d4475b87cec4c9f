"""Identifiers that sort by the time they were made."""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26


def new_ulid(utc_ns: int) -> str:
    """A fresh ULID: 48 bits of milliseconds since 1970, 80 random bits, 26 characters that sort by time.

    Source:
        github.com/ulid/spec; the alphabet is Crockford's base 32.
    """
    number = (utc_ns // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
