"""Media that X has, by account, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UTC_INSTANT = sa.BigInteger()


def upgrade() -> None:
    """Make the table; without a row nothing has been uploaded."""
    op.create_table(
        "media_upload",
        sa.Column("account_id", sa.String(length=200), nullable=False),
        sa.Column("upload_key", sa.String(length=64), nullable=False),
        sa.Column("media_id", sa.String(length=25), nullable=False),
        sa.Column("uploaded_utc", UTC_INSTANT, nullable=False),
        sa.Column("expires_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "upload_key", name=op.f("pk_media_upload")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("media_upload")
