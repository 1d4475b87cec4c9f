"""What the ledger knows of uploaded media: which id X gave, for which account, and until when."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from sync.ledger import Ledger
from sync.media import Upload
from sync.schema import MEDIA_UPLOAD

_NAMES = tuple(column.name for column in MEDIA_UPLOAD.columns)
_LASTING = sa.select(MEDIA_UPLOAD).where(
    MEDIA_UPLOAD.c.expires_utc > sa.bindparam("now_utc", type_=MEDIA_UPLOAD.c.expires_utc.type)
)


class MediaRecords:
    """The uploads in a ledger, which share its database and its audit record. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._database, self._audit, self._clock = ledger.database, ledger.audit, ledger.clock

    def uploads(self) -> tuple[Upload, ...]:
        """Those that X has not dropped yet.

        Raises:
            LedgerError: they cannot be read.
        """
        with self._database.asking() as cursor:
            rows = self._database.prepared(_LASTING).run(cursor, {"now_utc": self._clock.utc()})
        return tuple(Upload(**dict(zip(_NAMES, row, strict=True))) for row in rows)

    def keep(self, upload: Upload, *, sha256: str) -> None:
        """Record an upload in place of the account's earlier one of the same medium; those that have expired go.

        Args:
            sha256: of the file that was uploaded, for the audit record.

        Raises:
            LedgerError: it cannot be written.
        """
        key: dict[str, Any] = {"account_id": upload.account_id, "upload_key": upload.upload_key}
        values = {"media_id": upload.media_id, "uploaded_utc": upload.uploaded_utc, "expires_utc": upload.expires_utc}
        same = sa.and_(*(MEDIA_UPLOAD.c[name] == value for name, value in key.items()))
        now_utc = self._clock.utc()
        with self._database.writing() as connection:
            connection.execute(sa.delete(MEDIA_UPLOAD).where(sa.or_(same, MEDIA_UPLOAD.c.expires_utc <= now_utc)))
            connection.execute(sa.insert(MEDIA_UPLOAD).values(**key, **values))
            facts = {"account_id": upload.account_id, "media_id": upload.media_id, "sha256": sha256}
            self._audit.append(connection, now_utc, "media_uploaded", facts)

    def forget(self, account_id: str, media_ids: Collection[str]) -> None:
        """Drop uploads that X would not take in a post.

        Raises:
            LedgerError: it cannot be written.
        """
        which = sa.and_(MEDIA_UPLOAD.c.account_id == account_id, MEDIA_UPLOAD.c.media_id.in_(list(media_ids)))
        with self._database.writing() as connection:
            if connection.execute(sa.delete(MEDIA_UPLOAD).where(which)).rowcount:
                facts = {"account_id": account_id, "media_ids": sorted(media_ids)}
                self._audit.append(connection, self._clock.utc(), "media_refused", facts)
