"""OAuth 2.0 tokens as they are renewed, sealed, by account."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UTC_INSTANT = sa.BigInteger()


def upgrade() -> None:
    """Make the table; without a row an account's tokens are those of its credentials file."""
    op.create_table(
        "account_token",
        sa.Column("account_id", sa.String(length=200), nullable=False),
        sa.Column("signed_in_utc", UTC_INSTANT, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("renewing_since_utc", UTC_INSTANT, nullable=True),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("changed_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_token")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("account_token")
