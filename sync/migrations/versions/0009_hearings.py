"""What was heard and when somebody listened, for the as-run report."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; of what was heard before nothing is known."""
    op.create_table(
        "detection",
        sa.Column("detection_id", _ROW_ID, primary_key=True),
        sa.Column("feed_id", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("occurrence_id", sa.String(400), nullable=False),
        sa.Column("spot_id", sa.String(200), nullable=False),
        sa.Column("spot_ids_json", sa.Text(), nullable=False),
        sa.Column("onset_s", sa.Double(), nullable=False),
        sa.Column("onset_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("began_utc", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("speed", sa.Double(), nullable=False),
        sa.Column("aired_s", sa.Double(), nullable=True),
        sa.Column("coverage", sa.Double(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("cut_s", sa.Double(), nullable=True),
        sa.Column("joined_late", sa.Boolean(), nullable=False),
    )
    op.create_index("detection_by_time", "detection", ["began_utc"])
    op.create_index("detection_by_feed", "detection", ["feed_id", "began_utc"])
    op.create_table(
        "listening",
        sa.Column("feed_id", sa.String(200), primary_key=True),
        sa.Column("began_utc", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("until_utc", sa.BigInteger(), nullable=False),
    )
    op.create_index("listening_by_end", "listening", ["until_utc"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("listening")
    op.drop_table("detection")
