"""OAuth 2.0 tokens: what they must allow, when they end, and what a renewal can bring."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from sync.accounts import OAuth2Credentials
from sync.posting import Certainty
from timebase import Clock

SCOPES: Final = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
"""What posting with media, reading the own timeline and renewing need."""
SIGN_IN_AGAIN: Final = "sign it in again: cuebird account sign-in ID --oauth2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What became of a renewal.

    Attributes:
        certainty: POSTED, there are new tokens; REFUSED, there never will be; NOT_SENT, it may be tried again;
            UNKNOWN, the refresh token may be used up.
        credentials: with the new tokens.
        reason: one sentence, empty when there are new tokens.
    """

    certainty: Certainty
    credentials: OAuth2Credentials | None = None
    reason: str = ""


class TokenEndpoint(Protocol):
    """Renews tokens. One request a call, never repeated; raises nothing for what the network or the service does."""

    async def renew(self, credentials: OAuth2Credentials) -> Renewal:
        """New tokens for an account."""
        ...


def end_mono_ns(credentials: OAuth2Credentials, clock: Clock) -> int:
    """When the access token ends, by the clock that decides: the other one may step."""
    return clock.mono_ns() + (credentials.expires_utc - clock.utc()) // timedelta(microseconds=1) * 1000
