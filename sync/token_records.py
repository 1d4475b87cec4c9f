"""What the ledger knows of OAuth 2.0 tokens: the newest of each account, sealed, and whether a renewal is under way.

The tokens live here and not in the credentials file, because whoever takes over as engine must find the newest: the refresh
token of the file is used up after the first renewal. The file says how a sign-in began, the ledger how it went on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync.accounts import CredentialsError, OAuth2Credentials, parse_account
from sync.errors import FencedError, LedgerConflictError
from sync.ledger import Ledger
from sync.schema import ACCOUNT_TOKEN, SWITCH
from sync.sealing import SealingKey, seal


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """The tokens of one sign-in as they stand.

    Attributes:
        signed_in_utc: which sign-in.
        generation: how often they have been renewed.
        sealed: the credentials.
        renewing_since_utc: a renewal began then, and what became of it is not recorded.
        fault: why they cannot be renewed any more.
    """

    account_id: str
    signed_in_utc: datetime
    generation: int
    sealed: str
    renewing_since_utc: datetime | None
    fault: str

    def opened(self, key: SealingKey) -> OAuth2Credentials:
        """The credentials.

        Raises:
            CredentialsError: the key does not open them.
        """
        opened = parse_account(self.sealed, name=f"renewed tokens of {self.account_id}", key=key)
        if not isinstance(opened, OAuth2Credentials) or opened.account_id != self.account_id:
            raise CredentialsError(f"renewed tokens of {self.account_id}: not its own; sign the account in again")
        return opened


_NAMES = tuple(column.name for column in ACCOUNT_TOKEN.c if column is not ACCOUNT_TOKEN.c.changed_utc)
_ALL = sa.select(*(ACCOUNT_TOKEN.c[name] for name in _NAMES))
"""Asked every few seconds."""


class TokenRecords:
    """The tokens in a ledger, which share its database and its audit record. Every method is one transaction."""

    def __init__(self, ledger: Ledger, key: SealingKey) -> None:
        self._database, self._audit, self._clock, self._key = ledger.database, ledger.audit, ledger.clock, key

    def all(self) -> dict[str, TokenRecord]:
        """Every record, by account.

        Raises:
            LedgerError: they cannot be read.
        """
        with self._database.asking() as cursor:
            rows = self._database.prepared(_ALL).run(cursor, {})
        records = (TokenRecord(**dict(zip(_NAMES, row, strict=True))) for row in rows)
        return {record.account_id: record for record in records}

    def sign_in(self, credentials: OAuth2Credentials) -> None:
        """Put the tokens of a new sign-in in place of all before; an engine that runs takes them over.

        Raises:
            LedgerError: they cannot be written.
        """
        with self._database.writing() as connection:
            self._put(connection, credentials)
            self._event(connection, "tokens_signed_in", credentials)

    def begin(self, credentials: OAuth2Credentials, generation: int, *, epoch: int) -> None:
        """Record, before it is asked for, that these tokens are about to be renewed: nobody else may from now on.

        Raises:
            FencedError: another engine has taken over; it renews.
            LedgerConflictError: they are being renewed, or have been.
            LedgerError: it cannot be written.
        """
        with self._database.writing() as connection:
            if connection.execute(sa.select(SWITCH.c.epoch)).scalar() != epoch:
                raise FencedError(f"ledger {self._database.name}: FENCED, another engine renews the tokens")
            mine = ACCOUNT_TOKEN.c.account_id == credentials.account_id
            row = connection.execute(sa.select(ACCOUNT_TOKEN.c.signed_in_utc).where(mine)).one_or_none()
            if row is None or row.signed_in_utc < credentials.signed_in_utc:
                self._put(connection, credentials)
            values = {"renewing_since_utc": self._clock.utc()}
            self._change(connection, credentials, generation, values, under_way=False)
            self._event(connection, "tokens_renewal_began", credentials, generation=generation)

    def finish(self, credentials: OAuth2Credentials, generation: int) -> None:
        """Keep the new tokens in place of those of `generation`.

        It holds whoever is engine by now: what X gave is true for all.

        Raises:
            LedgerConflictError: no renewal of that generation is under way.
            LedgerError: it cannot be written.
        """
        sealed = seal(credentials.to_json(), account_id=credentials.account_id, key=self._key)
        values = {"generation": generation + 1, "sealed": sealed, "renewing_since_utc": None, "fault": ""}
        with self._database.writing() as connection:
            self._change(connection, credentials, generation, values, under_way=True)
            self._event(connection, "tokens_renewed", credentials, generation=generation + 1)

    def give_up(self, credentials: OAuth2Credentials, generation: int, *, fault: str) -> None:
        """Record that a renewal gave nothing: with a fault for good, without one it may be tried again.

        Raises:
            LedgerConflictError: no renewal of that generation is under way.
            LedgerError: it cannot be written.
        """
        values = {"renewing_since_utc": None, "fault": fault}
        with self._database.writing() as connection:
            self._change(connection, credentials, generation, values, under_way=True)
            kind = "tokens_refused" if fault else "tokens_not_renewed"
            self._event(connection, kind, credentials, generation=generation, reason=fault)

    def rekey(self, opened: Callable[[TokenRecord], OAuth2Credentials], key: SealingKey) -> int:
        """Seal every record with another key; how many there are.

        Args:
            opened: the credentials of a record, by whichever key it was sealed with.

        Raises:
            LedgerError: they cannot be read or written; none is changed then.
        """
        known = self.all()
        with self._database.writing() as connection:
            for record in known.values():
                sealed = seal(opened(record).to_json(), account_id=record.account_id, key=key)
                same = sa.and_(ACCOUNT_TOKEN.c.account_id == record.account_id, ACCOUNT_TOKEN.c.generation == record.generation)
                connection.execute(sa.update(ACCOUNT_TOKEN).where(same).values(sealed=sealed))
        return len(known)

    def _put(self, connection: sa.Connection, credentials: OAuth2Credentials) -> None:
        sealed = seal(credentials.to_json(), account_id=credentials.account_id, key=self._key)
        values: dict[str, Any] = {"signed_in_utc": credentials.signed_in_utc, "generation": 0, "sealed": sealed}
        values |= {"renewing_since_utc": None, "fault": "", "changed_utc": self._clock.utc()}
        connection.execute(sa.delete(ACCOUNT_TOKEN).where(ACCOUNT_TOKEN.c.account_id == credentials.account_id))
        connection.execute(sa.insert(ACCOUNT_TOKEN).values(account_id=credentials.account_id, **values))

    def _change(
        self,
        connection: sa.Connection,
        credentials: OAuth2Credentials,
        generation: int,
        values: Mapping[str, Any],
        *,
        under_way: bool,
    ) -> None:
        table = ACCOUNT_TOKEN.c
        begun = table.renewing_since_utc.is_not(None) if under_way else table.renewing_since_utc.is_(None)
        which = sa.and_(
            table.account_id == credentials.account_id,
            table.signed_in_utc == credentials.signed_in_utc,
            table.generation == generation,
            begun,
        )
        change = sa.update(ACCOUNT_TOKEN).where(which).values(changed_utc=self._clock.utc(), **values)
        if connection.execute(change).rowcount == 0:
            raise LedgerConflictError(f"tokens of {credentials.account_id}: they have been renewed or signed in elsewhere")

    def _event(self, connection: sa.Connection, kind: str, credentials: OAuth2Credentials, **facts: object) -> None:
        facts = {"account_id": credentials.account_id, **{name: value for name, value in facts.items() if value != ""}}
        self._audit.append(connection, self._clock.utc(), kind, facts)
