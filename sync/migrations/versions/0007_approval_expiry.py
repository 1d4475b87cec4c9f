"""Whether the end of an approval has been seen: it goes into the audit record once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what has expired by now is seen by the next engine."""
    op.add_column("approval", sa.Column("expiry_seen_utc", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("approval", "expiry_seen_utc")
