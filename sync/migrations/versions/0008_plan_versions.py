"""Versions of plans: every import with what the plan's airings were after it. And an index of airings by spot."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UTC_INSTANT = sa.BigInteger()
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table; what stands without a version gets one at the plan's next import."""
    op.create_table(
        "plan_version",
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("plan_id", sa.String(length=300), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("imported_utc", UTC_INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rolled_back_to", sa.Integer(), nullable=True),
        sa.Column("source_key", sa.String(length=64), nullable=True),
        sa.Column("new_count", sa.Integer(), nullable=False),
        sa.Column("moved_count", sa.Integer(), nullable=False),
        sa.Column("dropped_count", sa.Integer(), nullable=False),
        sa.Column("airing_count", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_plan_version")),
    )
    op.create_index("plan_version_by_number", "plan_version", ["plan_id", "number"], unique=True)
    op.create_index("plan_version_by_source", "plan_version", ["source_key"], unique=True)
    op.create_index("airing_by_spot", "airing", ["channel", "spot_id", "planned_utc"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("airing_by_spot", table_name="airing")
    op.drop_index("plan_version_by_source", table_name="plan_version")
    op.drop_index("plan_version_by_number", table_name="plan_version")
    op.drop_table("plan_version")
