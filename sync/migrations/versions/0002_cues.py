"""Approvals that expire and can be voided; campaign, priority and the exact request of a firing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UTC_INSTANT = sa.BigInteger()
APPROVAL_VALID_US = 90 * 86_400 * 1_000_000
"""How long approvals hold that were given when none expired yet."""


def upgrade() -> None:
    """Add the columns; what is there keeps its meaning."""
    op.add_column("approval", sa.Column("expires_utc", UTC_INSTANT, nullable=True))
    op.add_column("approval", sa.Column("voided_utc", UTC_INSTANT, nullable=True))
    op.execute(sa.text(f"UPDATE approval SET expires_utc = approved_utc + {APPROVAL_VALID_US}"))
    op.add_column("firing", sa.Column("campaign", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("firing", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("firing", sa.Column("body", sa.Text(), nullable=False, server_default=""))
    op.add_column("firing", sa.Column("body_sha256", sa.String(length=64), nullable=True))
    op.create_index("firing_by_cue", "firing", ["cue_id", "on_air_utc"], unique=False)


def downgrade() -> None:
    """Refuse: a ledger is evidence, and evidence is not taken apart."""
    raise RuntimeError("a migration of the ledger is not undone; move the ledger away instead")
