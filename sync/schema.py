"""The ledger's tables. The migrations make them; a test holds both together."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

SCHEMA_HEAD = "0009"
"""The newest migration; a ledger that is there already is opened without loading Alembic."""

_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant, kept as microseconds since 1970: exact, sortable, the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else (value - _EPOCH_UTC) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        return None if value is None else _EPOCH_UTC + timedelta(microseconds=value)


METADATA = MetaData(naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"})
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")

SWITCH = Table(
    "switch",
    METADATA,
    Column("switch_id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("killed", Boolean, nullable=False),
    Column("kill_reason", Text, nullable=False),
    Column("kill_actor", Text, nullable=False),
    Column("changed_utc", UtcInstant, nullable=False),
)
"""One row: who is engine, the mode, the kill switch. Every claim reads it."""

LEASE = Table(
    "lease",
    METADATA,
    Column("lease_id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(300), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""One row: the engine that fires and how often its heart has beaten. No claim reads it."""

CUE = Table(
    "cue",
    METADATA,
    Column("cue_id", String(64), primary_key=True),
    Column("canonical_json", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("hold_reason", Text, nullable=False),
    Column("hold_actor", Text, nullable=False),
    Column("updated_utc", UtcInstant, nullable=False),
)

APPROVAL = Table(
    "approval",
    METADATA,
    Column("approval_id", _ROW_ID, primary_key=True),
    Column("cue_id", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("approved_utc", UtcInstant, nullable=False),
    Column("expires_utc", UtcInstant),
    Column("voided_utc", UtcInstant),
    Column("expiry_seen_utc", UtcInstant),
    Index("approval_by_cue", "cue_id", "approval_id"),
)

AIRING = Table(
    "airing",
    METADATA,
    Column("airing_id", String(300), primary_key=True),
    Column("plan_id", String(300), nullable=False),
    Column("plan_sha256", String(64), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("spot_id", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("planned_utc", UtcInstant, nullable=False),
    Column("opens_utc", UtcInstant, nullable=False),
    Column("closes_utc", UtcInstant, nullable=False),
    Column("raw", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("heard_utc", UtcInstant),
    Index("airing_by_plan", "plan_id"),
    Index("airing_by_close", "closes_utc"),
    Index("airing_by_spot", "channel", "spot_id", "planned_utc"),
)

PLAN_VERSION = Table(
    "plan_version",
    METADATA,
    Column("version_id", _ROW_ID, primary_key=True),
    Column("plan_id", String(300), nullable=False),
    Column("number", Integer, nullable=False),
    Column("imported_utc", UtcInstant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("rolled_back_to", Integer, nullable=True),
    Column("source_key", String(64), nullable=True),
    Column("new_count", Integer, nullable=False),
    Column("moved_count", Integer, nullable=False),
    Column("dropped_count", Integer, nullable=False),
    Column("airing_count", Integer, nullable=False),
    Column("content", LargeBinary, nullable=True),
    Index("plan_version_by_number", "plan_id", "number", unique=True),
    Index("plan_version_by_source", "source_key", unique=True),
)
"""Every import of a plan: who, when, which file, what it changed, and the plan's airings after it (`sync.plan_versions`)."""

FIRING = Table(
    "firing",
    METADATA,
    Column("firing_id", _ROW_ID, primary_key=True),
    Column("occurrence_id", String(400), nullable=False),
    Column("cue_id", String(64), nullable=False),
    Column("cue_name", Text, nullable=False),
    Column("account_id", String(200), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reserving", Boolean, nullable=False),
    Column("guard", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_sha256", String(64)),
    Column("spot_id", String(200)),
    Column("tweet_id", String(25)),
    Column("of_firing_id", _ROW_ID, ForeignKey("firing.firing_id")),
    Column("http_status", Integer),
    Column("epoch", Integer, nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("deadline_mono_ns", BigInteger, nullable=False),
    Column("on_air_mono_ns", BigInteger),
    Column("heard_mono_ns", BigInteger),
    Column("decided_mono_ns", BigInteger),
    Column("claimed_mono_ns", BigInteger),
    Column("first_byte_mono_ns", BigInteger),
    Column("answered_mono_ns", BigInteger),
    Column("on_air_utc", UtcInstant),
    Column("decided_utc", UtcInstant),
    Column("claimed_utc", UtcInstant),
    Column("answered_utc", UtcInstant),
    Column("updated_utc", UtcInstant, nullable=False),
    Column("connection", String(16), nullable=False),
    Column("settled_by", Text, nullable=False),
    Column("campaign", String(64), nullable=False, server_default=""),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("body", Text, nullable=False, server_default=""),
    Column("body_sha256", String(64)),
    # The guarantee itself: while one firing keeps an occurrence, no other can.
    Index(
        "firing_at_most_once",
        "occurrence_id",
        "cue_id",
        "account_id",
        "mode",
        "action",
        unique=True,
        sqlite_where=text("reserving"),
        postgresql_where=text("reserving"),
    ),
    # No exact text leaves an account twice; one that may be used again after its duplicate window loses its hash then.
    Index(
        "firing_text_once",
        "account_id",
        "mode",
        "text_sha256",
        unique=True,
        sqlite_where=text("reserving AND text_sha256 IS NOT NULL"),
        postgresql_where=text("reserving AND text_sha256 IS NOT NULL"),
    ),
    Index("firing_by_claim", "mode", "claimed_utc"),
    Index("firing_by_state", "state"),
    Index("firing_by_cue", "cue_id", "on_air_utc"),
)

DETECTION = Table(
    "detection",
    METADATA,
    Column("detection_id", _ROW_ID, primary_key=True),
    Column("feed_id", String(200), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("occurrence_id", String(400), nullable=False),
    Column("spot_id", String(200), nullable=False),
    Column("spot_ids_json", Text, nullable=False),
    Column("onset_s", Double, nullable=False),
    Column("onset_mono_ns", BigInteger),
    Column("began_utc", UtcInstant, nullable=False),
    Column("heard_ms", Double),
    Column("score", Double),
    Column("threshold", Double),
    Column("speed", Double, nullable=False),
    Column("aired_s", Double),
    Column("coverage", Double),
    Column("confidence", Double),
    Column("cut_s", Double),
    Column("joined_late", Boolean, nullable=False),
    Index("detection_by_time", "began_utc"),
    Index("detection_by_feed", "feed_id", "began_utc"),
)
"""What was heard, and how far it ran; no claim reads it."""

LISTENING = Table(
    "listening",
    METADATA,
    Column("feed_id", String(200), primary_key=True),
    Column("began_utc", UtcInstant, primary_key=True, autoincrement=False),
    Column("channel", String(200), nullable=False),
    Column("until_utc", UtcInstant, nullable=False),
    Index("listening_by_end", "until_utc"),
)
"""Spans in which a feed was listened to; no claim reads it."""

MEDIA_UPLOAD = Table(
    "media_upload",
    METADATA,
    Column("account_id", String(200), primary_key=True),
    Column("upload_key", String(64), primary_key=True),
    Column("media_id", String(25), nullable=False),
    Column("uploaded_utc", UtcInstant, nullable=False),
    Column("expires_utc", UtcInstant, nullable=False),
)
"""What X has of the cues' media, by account; `upload_key` is the hash of file and alternative text."""

ACCOUNT_TOKEN = Table(
    "account_token",
    METADATA,
    Column("account_id", String(200), primary_key=True),
    Column("signed_in_utc", UtcInstant, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("renewing_since_utc", UtcInstant, nullable=True),
    Column("fault", Text, nullable=False),
    Column("changed_utc", UtcInstant, nullable=False),
)
"""The newest OAuth 2.0 tokens of an account, sealed; a renewal that has begun and has no outcome yet stands in it."""

FIXTURE_STATE = Table(
    "fixture_state",
    METADATA,
    Column("fixture", String(200), primary_key=True),
    Column("state_json", Text, nullable=False),
    Column("updated_utc", UtcInstant, nullable=False),
)

REPLAY_STATE = Table(
    "replay_state",
    METADATA,
    Column("link", String(200), primary_key=True),
    Column("state_json", Text, nullable=False),
    Column("updated_utc", UtcInstant, nullable=False),
)

ALARM = Table(
    "alarm",
    METADATA,
    Column("alarm_id", _ROW_ID, primary_key=True),
    Column("utc", UtcInstant, nullable=False),
    Column("level", String(16), nullable=False),
    Column("text", Text, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("number", _ROW_ID, primary_key=True, autoincrement=False),
    Column("utc", UtcInstant, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("facts_json", Text, nullable=False),
    Column("mac", String(64), nullable=False),
)
"""Every action and every step of every firing, numbered without gaps and chained; only `sync.audit` writes it."""
