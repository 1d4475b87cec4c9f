"""What the engine asks of a publisher, and what it is told: the port between deciding and the network."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Certainty(enum.StrEnum):
    """How sure we are of what became of a request. Anything that cannot be classed is UNKNOWN."""

    POSTED = "posted"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request ready to leave.

    Attributes:
        firing_id: the claim it belongs to.
        account_id: who posts.
        body: the JSON body, frozen when it was armed; these bytes and no others are sent.
        deadline_mono_ns: judged again right before the first byte; later means NOT_SENT.
    """

    firing_id: int
    account_id: str
    body: bytes
    deadline_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the last answer said of the rate windows; None where it said nothing.

    Attributes:
        limit, remaining, reset_utc: the endpoint's window of 15 minutes, for this user.
        user_day_limit, user_day_remaining, user_day_reset_utc: this user's 24 hours.
        app_day_limit, app_day_remaining, app_day_reset_utc: the app's 24 hours, all users together.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_utc: datetime | None = None
    user_day_limit: int | None = None
    user_day_remaining: int | None = None
    user_day_reset_utc: datetime | None = None
    app_day_limit: int | None = None
    app_day_remaining: int | None = None
    app_day_reset_utc: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a shot.

    Attributes:
        certainty: see `Certainty`.
        tweet_id: set only with POSTED.
        reason: one sentence for people, empty with POSTED.
        http_status: None when no answer came.
        first_byte_mono_ns: when the request's first byte was handed to the connection, None if none was.
        answered_mono_ns: when the answer (or the failure) was known.
        warm: the request left on a connection that was already open.
    """

    certainty: Certainty
    tweet_id: str | None
    reason: str
    http_status: int | None
    first_byte_mono_ns: int | None
    answered_mono_ns: int
    warm: bool
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineTweet:
    """One tweet of an account's own timeline."""

    tweet_id: str
    text: str
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHealth:
    """How ready an account is, for its tile and for the gate.

    Attributes:
        token_expires_utc: when its OAuth 2.0 access token ends; None for keys that do not.
        fault: why it cannot post now; empty when nothing stands against it.
    """

    account_id: str
    handle: str
    connections: int
    warm: bool
    limits: Limits
    last_answer_utc: datetime | None
    detail: str = ""
    token_expires_utc: datetime | None = None
    fault: str = ""


Withhold = Callable[[], str | None]
"""Asked right before the first byte; a reason means: do not send (the outcome is NOT_SENT with it)."""


class Publisher(Protocol):
    """Posts, deletes and reads back tweets. One attempt each; never waits for a rate limit, never repeats a POST or DELETE.

    No method raises for what the network or the service does: that is an `Outcome` (or None from
    `timeline`). Cancelling a call after its first byte leaves the outcome unknown to the caller, so
    the engine shields it.
    """

    async def warm(self, account_id: str) -> None:
        """Open the account's connections and keep them open until `cool`."""
        ...

    async def cool(self, account_id: str) -> None:
        """Stop keeping the account's connections open."""
        ...

    async def post(self, shot: Shot, withhold: Withhold) -> Outcome:
        """Send one POST /2/tweets, unless `withhold` gives a reason or the deadline has passed."""
        ...

    async def delete(self, account_id: str, tweet_id: str, withhold: Withhold) -> Outcome:
        """Send one DELETE /2/tweets/{id}; POSTED means it is deleted."""
        ...

    async def timeline(self, account_id: str, *, since_id: int) -> list[TimelineTweet] | None:
        """The account's own tweets newer than `since_id`, newest first; None when it could not be read."""
        ...

    def health(self, account_id: str) -> AccountHealth:
        """How ready the account is now."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
