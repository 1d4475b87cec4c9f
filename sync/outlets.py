"""The publishers by mode, and what they say of the accounts."""

import dataclasses
from collections.abc import Collection, Mapping

from sync.posting import AccountHealth, Publisher
from sync.rehearsal import RehearsalPublisher
from sync.renewals import Renewals
from sync.setup import AccountSetup
from sync.states import Mode
from timebase import Clock


class Outlets:
    """Where firings leave.

    Args:
        live: speaks to X or the sandbox; None: LIVE is declined.

    Attributes:
        by_mode: OFF has none, REHEARSAL always has one, and it has no credentials.
        renewals: of OAuth 2.0 tokens; None where no account has any.
    """

    def __init__(self, accounts: Collection[AccountSetup], live: Publisher | None, clock: Clock) -> None:
        self._accounts, self._live, self._clock = accounts, live, clock
        self._ids = frozenset(one.account_id for one in accounts)
        handles = {one.account_id: one.handle for one in accounts}
        rehearsal = RehearsalPublisher(clock, handles)
        self._shown: Publisher = live or rehearsal
        self.renewals: Renewals | None = None
        self.by_mode: Mapping[Mode, Publisher] = {Mode.REHEARSAL: rehearsal, **({Mode.LIVE: live} if live else {})}

    @property
    def account_ids(self) -> frozenset[str]:
        """The configured accounts."""
        return self._ids

    def faults(self, account_id: str) -> dict[Mode, str]:
        """Why the account cannot post, by mode."""
        if account_id not in self._ids:
            return dict.fromkeys((Mode.REHEARSAL, Mode.LIVE), f"account {account_id} is not configured")
        if self._live is None:
            return {Mode.LIVE: "no publisher is configured"}
        health = self._live.health(account_id)
        if fault := self._renewal_fault(account_id) or health.fault:
            return {Mode.LIVE: fault}
        limits = health.limits
        if limits.remaining == 0 and limits.reset_utc is not None and limits.reset_utc > self._clock.utc():
            return {Mode.LIVE: f"account {account_id} may post again at {limits.reset_utc:%H:%M:%S} UTC"}
        return {}

    def token_fault(self, account_id: str, mode: Mode) -> str:
        """Why an account's tokens are worth nothing in a mode; empty while they hold."""
        if mode is not Mode.LIVE or self._live is None:
            return ""
        return self._renewal_fault(account_id) or self._live.health(account_id).fault

    def _renewal_fault(self, account_id: str) -> str:
        return self.renewals.fault(account_id) if self.renewals else ""

    def healths(self) -> list[AccountHealth]:
        """Every account's connections, limits and tokens."""
        return [self._with_tokens(self._shown.health(one.account_id)) for one in self._accounts]

    def _with_tokens(self, health: AccountHealth) -> AccountHealth:
        """What a person should know first stands on the tile: tokens that must be mended, then the connections."""
        wrong = (self.renewals.detail(health.account_id) if self.renewals else "") or health.fault
        return dataclasses.replace(health, detail=wrong) if wrong else health

    async def close(self) -> None:
        """Close every publisher."""
        for publisher in self.by_mode.values():
            await publisher.close()
