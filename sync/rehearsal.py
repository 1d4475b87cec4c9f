"""The publisher of a rehearsal: it has no credentials, opens no socket and cannot post."""

from sync.posting import AccountHealth, Certainty, Limits, Outcome, Shot, TimelineTweet, Withhold
from timebase import Clock

REHEARSAL_TWEET_ID = "rehearsal"
"""Stands where a tweet's id would: nobody can mistake it for one."""


class RehearsalPublisher:
    """Goes through everything up to the first byte, and stops there."""

    def __init__(self, clock: Clock, handles: dict[str, str]) -> None:
        self._clock, self._handles = clock, dict(handles)

    async def warm(self, account_id: str) -> None:
        """Nothing to open."""

    async def cool(self, account_id: str) -> None:
        """Nothing to close."""

    async def post(self, shot: Shot, withhold: Withhold) -> Outcome:
        """POSTED with `REHEARSAL_TWEET_ID`, unless `withhold` or the deadline speaks against it as it would live."""
        late = self._clock.mono_ns() > shot.deadline_mono_ns
        return self._outcome("the deadline has passed" if late else withhold())

    async def delete(self, account_id: str, tweet_id: str, withhold: Withhold) -> Outcome:  # noqa: ARG002 - the port's signature
        """POSTED, unless `withhold` speaks against it."""
        return self._outcome(withhold())

    async def timeline(self, account_id: str, *, since_id: int) -> list[TimelineTweet] | None:  # noqa: ARG002 - as above
        """Always empty: nothing was posted."""
        return []

    def health(self, account_id: str) -> AccountHealth:
        """An account without connections."""
        handle = self._handles.get(account_id, account_id)
        return AccountHealth(
            account_id=account_id,
            handle=handle,
            connections=0,
            warm=False,
            limits=Limits(),
            last_answer_utc=None,
            detail="rehearsal: nothing is connected",
        )

    async def close(self) -> None:
        """Nothing to close."""

    def _outcome(self, reason: str | None) -> Outcome:
        now_ns = self._clock.mono_ns()
        return Outcome(
            certainty=Certainty.NOT_SENT if reason else Certainty.POSTED,
            tweet_id=None if reason else REHEARSAL_TWEET_ID,
            reason=reason or "",
            http_status=None,
            first_byte_mono_ns=None,
            answered_mono_ns=now_ns,
            warm=False,
        )
