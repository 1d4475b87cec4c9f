"""An engine that is stopped in the middle of a transaction, on PostgreSQL: its session ends, and others can write."""

import pytest
import sqlalchemy as sa

import sync.database
from sync.audit import AuditFiles
from sync.database import Database
from sync.errors import LedgerError
from sync.ledger import Ledger
from sync.states import Mode

pytestmark = pytest.mark.system


@pytest.fixture
def url(postgresql: str) -> str:
    """An empty database."""
    engine = sa.create_engine(postgresql)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return postgresql


@pytest.mark.timeout(60)
def test_a_transaction_that_stands_still_is_ended(url: str, audit: AuditFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands by takes over; what the stopped engine had begun is not written."""
    monkeypatch.setattr(sync.database, "STALLED_MS", 100)
    other = Ledger.open(url, mode=Mode.LIVE, audit=audit)
    stopped = Database(url)

    def goes_on_too_late() -> None:
        with stopped.claiming() as cursor:
            cursor.execute("UPDATE switch SET killed = true")
            assert other.become_engine(holder="standby") == 1
            cursor.execute("UPDATE switch SET killed = true")

    with pytest.raises(LedgerError):
        goes_on_too_late()
    assert not other.switch().killed
    stopped.close()
    other.close()
