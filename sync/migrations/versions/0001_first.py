"""The first ledger: switch, cues and approvals, airings, firings, what is remembered of fixtures and links, alarms, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out instead of imported: a migration keeps meaning what it meant when it was written.
UTC_INSTANT = sa.BigInteger()
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "airing",
        sa.Column("airing_id", sa.String(length=300), nullable=False),
        sa.Column("plan_id", sa.String(length=300), nullable=False),
        sa.Column("plan_sha256", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=200), nullable=False),
        sa.Column("spot_id", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("planned_utc", UTC_INSTANT, nullable=False),
        sa.Column("opens_utc", UTC_INSTANT, nullable=False),
        sa.Column("closes_utc", UTC_INSTANT, nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("heard_utc", UTC_INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("airing_id", name=op.f("pk_airing")),
    )
    op.create_index("airing_by_close", "airing", ["closes_utc"], unique=False)
    op.create_index("airing_by_plan", "airing", ["plan_id"], unique=False)
    op.create_table(
        "alarm",
        sa.Column("alarm_id", ROW_ID, nullable=False),
        sa.Column("utc", UTC_INSTANT, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("pk_alarm")),
    )
    op.create_table(
        "approval",
        sa.Column("approval_id", ROW_ID, nullable=False),
        sa.Column("cue_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approval")),
    )
    op.create_index("approval_by_cue", "approval", ["cue_id", "approval_id"], unique=False)
    op.create_table(
        "cue",
        sa.Column("cue_id", sa.String(length=64), nullable=False),
        sa.Column("canonical_json", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("hold_reason", sa.Text(), nullable=False),
        sa.Column("hold_actor", sa.Text(), nullable=False),
        sa.Column("updated_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("cue_id", name=op.f("pk_cue")),
    )
    op.create_table(
        "event",
        sa.Column("event_id", ROW_ID, nullable=False),
        sa.Column("utc", UTC_INSTANT, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("facts_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event")),
    )
    op.create_table(
        "firing",
        sa.Column("firing_id", ROW_ID, nullable=False),
        sa.Column("occurrence_id", sa.String(length=400), nullable=False),
        sa.Column("cue_id", sa.String(length=64), nullable=False),
        sa.Column("cue_name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(length=200), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reserving", sa.Boolean(), nullable=False),
        sa.Column("guard", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=True),
        sa.Column("spot_id", sa.String(length=200), nullable=True),
        sa.Column("tweet_id", sa.String(length=25), nullable=True),
        sa.Column("of_firing_id", ROW_ID, nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("deadline_mono_ns", sa.BigInteger(), nullable=False),
        sa.Column("on_air_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("heard_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("decided_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("claimed_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("first_byte_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("answered_mono_ns", sa.BigInteger(), nullable=True),
        sa.Column("on_air_utc", UTC_INSTANT, nullable=True),
        sa.Column("decided_utc", UTC_INSTANT, nullable=True),
        sa.Column("claimed_utc", UTC_INSTANT, nullable=True),
        sa.Column("answered_utc", UTC_INSTANT, nullable=True),
        sa.Column("updated_utc", UTC_INSTANT, nullable=False),
        sa.Column("connection", sa.String(length=16), nullable=False),
        sa.Column("settled_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["of_firing_id"], ["firing.firing_id"], name=op.f("fk_firing_of_firing_id")),
        sa.PrimaryKeyConstraint("firing_id", name=op.f("pk_firing")),
    )
    op.create_index(
        "firing_at_most_once",
        "firing",
        ["occurrence_id", "cue_id", "account_id", "mode", "action"],
        unique=True,
        sqlite_where=sa.text("reserving"),
        postgresql_where=sa.text("reserving"),
    )
    op.create_index("firing_by_claim", "firing", ["mode", "claimed_utc"], unique=False)
    op.create_index("firing_by_state", "firing", ["state"], unique=False)
    op.create_index(
        "firing_text_once",
        "firing",
        ["account_id", "mode", "text_sha256"],
        unique=True,
        sqlite_where=sa.text("reserving AND text_sha256 IS NOT NULL"),
        postgresql_where=sa.text("reserving AND text_sha256 IS NOT NULL"),
    )
    op.create_table(
        "fixture_state",
        sa.Column("fixture", sa.String(length=200), nullable=False),
        sa.Column("state_json", sa.Text(), nullable=False),
        sa.Column("updated_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("fixture", name=op.f("pk_fixture_state")),
    )
    op.create_table(
        "replay_state",
        sa.Column("link", sa.String(length=200), nullable=False),
        sa.Column("state_json", sa.Text(), nullable=False),
        sa.Column("updated_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("link", name=op.f("pk_replay_state")),
    )
    op.create_table(
        "switch",
        sa.Column("switch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("killed", sa.Boolean(), nullable=False),
        sa.Column("kill_reason", sa.Text(), nullable=False),
        sa.Column("kill_actor", sa.Text(), nullable=False),
        sa.Column("changed_utc", UTC_INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("switch_id", name=op.f("pk_switch")),
    )


def downgrade() -> None:
    """Refuse: a ledger is evidence, and evidence is not taken apart."""
    raise RuntimeError("the first migration is not undone; move the ledger away instead")
