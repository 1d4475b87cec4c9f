"""The table of events becomes the audit record: gapless numbers and a MAC over each, chained to the one before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UTC_INSTANT = sa.BigInteger()


def upgrade() -> None:
    """Make the table and take over the events; opening the ledger seals them (`sync.audit`), since the key is not known here."""
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("utc", UTC_INSTANT, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("facts_json", sa.Text(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.execute(
        "INSERT INTO audit (number, utc, kind, facts_json, mac) "
        "SELECT row_number() OVER (ORDER BY event_id), utc, kind, facts_json, '' FROM event"
    )
    op.drop_table("event")


def downgrade() -> None:
    """Refuse: a ledger is evidence, and evidence is not taken apart."""
    raise RuntimeError("the audit record is not taken apart; move the ledger away instead")
