"""What the sandbox knows: tweets, rate windows, credits and the log of requests."""

import json
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sync.accounts import Credentials
from sync.sandbox import problems
from sync.sandbox.media import MediaShelf
from timebase import Clock

_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_TWEETS_MAX = 20_000
_REQUESTS_MAX = 5_000
_WINDOW_S = 900
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """How strict and how generous the sandbox is.

    Attributes:
        check_duplicates: refuse a text the account has posted within the day. Off by default: a stand-in that
            removes duplicates would hide that its client sends them.
        read_only: the app may not write, as when its permissions were never raised.
        user_posts_per_window, user_deletes_per_window, user_reads_per_window: for 15 minutes.
        user_posts_per_day, app_posts_per_day: for 24 hours.
        user_media_per_window: media requests of a kind for 15 minutes.
        media_processing_s: how long a GIF or a video is processed after it was uploaded.
        media_expires_s: how long an upload may be completed, and then posted.
        credits: posts that are still paid for; None means without end.
        skew_s_max: how far a request's timestamp may be off.
        timeline_lag_s: how long a tweet is missing in the timeline after it was posted.
        access_token_s: how long an OAuth 2.0 access token lasts.
        code_s: how long the code of an OAuth 2.0 sign-in may be exchanged.
        journal: keep the tweets in a file of the state folder, so that they outlive a killed sandbox.
    """

    check_duplicates: bool = False
    read_only: bool = False
    user_posts_per_window: int = 100
    user_deletes_per_window: int = 50
    user_reads_per_window: int = 900
    user_posts_per_day: int = 2_400
    app_posts_per_day: int = 10_000
    user_media_per_window: int = 5_000
    media_processing_s: float = 2.0
    media_expires_s: int = 86_400
    credits: int | None = None
    skew_s_max: int = 300
    timeline_lag_s: float = 0.0
    access_token_s: int = 7_200
    code_s: int = 30
    journal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxTweet:
    """A tweet as the sandbox keeps it.

    Attributes:
        fields: the whole body it was posted with.
        published_ms: from its request's first byte to the instant it existed.
    """

    tweet_id: str
    account_id: str
    user_id: str
    handle: str
    text: str
    fields: dict[str, Any]
    created_utc: str
    published_ms: float
    deleted_utc: str | None = None

    def created(self) -> datetime:
        """The instant it was posted, aware."""
        return datetime.fromisoformat(self.created_utc)


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """One line of the request log.

    Attributes:
        connection: which connection it came on, counted from 1; the same number means it was kept alive.
        arrived_mono_ns: when its first bytes reached this process.
        answered_mono_ns: when its answer was handed over; None when it got none.
        status: None when it got no answer.
    """

    number: int
    method: str
    path: str
    connection: int
    arrived_mono_ns: int
    arrived_utc: str
    account_id: str | None = None
    status: int | None = None
    answered_mono_ns: int | None = None
    answered_ms: float | None = None
    tweet_id: str | None = None
    fault: str | None = None


@dataclass(slots=True)
class _Window:
    """A count that begins again when its time is over."""

    limit: int
    span_s: int
    ends_s: int = 0
    used: int = 0

    def headers(self, name: str, now_s: float) -> dict[str, str]:
        self._roll(now_s)
        left = max(0, self.limit - self.used)
        return {f"{name}-limit": str(self.limit), f"{name}-remaining": str(left), f"{name}-reset": str(self.ends_s)}

    def exhausted(self, now_s: float) -> bool:
        self._roll(now_s)
        return self.used >= self.limit

    def _roll(self, now_s: float) -> None:
        if now_s >= self.ends_s:
            self.ends_s, self.used = int(now_s) + self.span_s, 0


@dataclass(slots=True)
class World:
    """All state of one sandbox; single-threaded, changed only by its methods."""

    settings: SandboxSettings
    accounts: dict[str, Credentials]
    clock: Clock
    journal_file: Path | None = None
    media: MediaShelf = field(init=False)
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_REQUESTS_MAX))
    _tweets: dict[str, SandboxTweet] = field(default_factory=dict)
    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict)
    _credits_used: int = 0
    _last_id: int = 0
    _request_count: int = 0
    _journal: IO[str] | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        self.media = MediaShelf(clock=self.clock, processing_s=settings.media_processing_s, expires_s=settings.media_expires_s)
        if self.journal_file is not None:
            cut = self._replay(self.journal_file)
            self._journal = self.journal_file.open("a", encoding="utf-8")
            self._journal.write("\n" if cut else "")  # or the next tweet would be joined to half a line

    def close(self) -> None:
        """Let go of the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def tweets(self) -> list[SandboxTweet]:
        """All tweets, deleted ones too, newest first."""
        return sorted(self._tweets.values(), key=lambda tweet: int(tweet.tweet_id), reverse=True)

    def begin_request(self, *, method: str, path: str, connection: int, arrived_mono_ns: int) -> RequestRecord:
        """A new line of the log."""
        self._request_count += 1
        late = timedelta(microseconds=(self.clock.mono_ns() - arrived_mono_ns) / 1000)
        record = RequestRecord(
            number=self._request_count,
            method=method,
            path=path,
            connection=connection,
            arrived_mono_ns=arrived_mono_ns,
            arrived_utc=(self.clock.utc() - late).isoformat(),
        )
        self.requests.append(record)
        return record

    def count(self, account: Credentials, method: str, kind: str) -> dict[str, str]:
        """The rate headers of a request that is let through, counting it.

        Raises:
            Problem: 429, a window is used up; with the same headers.
        """
        now_s = self.clock.utc().timestamp()
        windows = self._windows_of(account, method, kind)
        exhausted = any(window.exhausted(now_s) for window in windows.values())
        if not exhausted:
            for window in windows.values():
                window.used += 1
        headers: dict[str, str] = {}
        for name, window in windows.items():
            headers |= window.headers(name, now_s)
        if exhausted:
            raise problems.too_many_requests(headers)
        return headers

    def post(self, account: Credentials, fields: dict[str, Any], *, arrived_mono_ns: int) -> SandboxTweet:
        """The tweet that now exists.

        Raises:
            Problem: 400 for media that may not be posted; 402, 403 or 429 for what the settings forbid.
        """
        now_utc = self.clock.utc()
        text = str(fields.get("text", ""))
        if self.settings.read_only:
            raise problems.read_only_app()
        if self.settings.credits is not None and self._credits_used >= self.settings.credits:
            raise problems.credits_depleted(account.user_id)
        if self.settings.check_duplicates and self._posted_within_a_day(account, text, now_utc):
            raise problems.duplicate()
        if len(self._tweets) >= _TWEETS_MAX:
            raise problems.too_many_requests({})
        if media_ids := fields.get("media", {}).get("media_ids"):
            self.media.attach(account, media_ids)
        tweet = SandboxTweet(
            tweet_id=str(self.next_id()),
            account_id=account.account_id,
            user_id=account.user_id,
            handle=account.handle,
            text=text,
            fields=fields,
            created_utc=now_utc.isoformat(),
            published_ms=(self.clock.mono_ns() - arrived_mono_ns) / 1e6,
        )
        self._credits_used += 1
        self._keep(tweet)
        return tweet

    def delete(self, account: Credentials, tweet_id: str) -> SandboxTweet:
        """The tweet, now marked deleted.

        Raises:
            Problem: 404 when there is none, 403 when it is another account's.
        """
        tweet = self.get(tweet_id)
        if tweet.user_id != account.user_id:
            raise problems.forbidden()
        deleted = SandboxTweet(**{**asdict(tweet), "deleted_utc": self.clock.utc().isoformat()})
        self._keep(deleted)
        return deleted

    def get(self, tweet_id: str) -> SandboxTweet:
        """The tweet of that id, unless it was deleted.

        Raises:
            Problem: 404.
        """
        tweet = self._tweets.get(tweet_id)
        if tweet is None or tweet.deleted_utc is not None:
            raise problems.not_found("id", tweet_id, "tweet")
        return tweet

    def timeline(self, user_id: str, *, since_id: int, before_id: int | None) -> list[SandboxTweet]:
        """The user's visible tweets, newest first."""
        visible_utc = self.clock.utc() - timedelta(seconds=self.settings.timeline_lag_s)
        return [
            tweet
            for tweet in self.tweets()
            if tweet.user_id == user_id
            and tweet.deleted_utc is None
            and int(tweet.tweet_id) > since_id
            and (before_id is None or int(tweet.tweet_id) < before_id)
            and tweet.created() <= visible_utc
        ]

    def reset(self) -> None:
        """Forget tweets, requests, windows and credits; the journal begins anew. Ids go on rising."""
        self._tweets.clear()
        self.requests.clear()
        self.media.clear()
        self._windows.clear()
        self._credits_used = 0
        if self._journal is not None:
            self._journal.truncate(0)

    def _keep(self, tweet: SandboxTweet) -> None:
        self._tweets[tweet.tweet_id] = tweet
        if self._journal is not None:
            self._journal.write(json.dumps(asdict(tweet), ensure_ascii=False) + "\n")
            self._journal.flush()

    def _replay(self, path: Path) -> bool:
        """Take over what the journal holds; whether its last line was cut short by a kill."""
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.splitlines():
            try:
                tweet = SandboxTweet(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self._tweets[tweet.tweet_id] = tweet
            self._last_id = max(self._last_id, int(tweet.tweet_id))
        return bool(text) and not text.endswith("\n")

    def next_id(self) -> int:
        """A snowflake of now, greater than every one before."""
        now_ms = int(self.clock.utc().astimezone(UTC).timestamp() * 1000)
        self._last_id = max(self._last_id + 1, (now_ms - _SNOWFLAKE_EPOCH_MS) << 22)
        return self._last_id

    def _posted_within_a_day(self, account: Credentials, text: str, now_utc: datetime) -> bool:
        day_ago_utc = now_utc - timedelta(seconds=_DAY_S)
        mine = (tweet for tweet in self._tweets.values() if tweet.user_id == account.user_id)
        return any(tweet.text == text and tweet.created() > day_ago_utc for tweet in mine)

    def _windows_of(self, account: Credentials, method: str, kind: str) -> dict[str, _Window]:
        settings, user = self.settings, account.user_id
        per_window = {"POST": settings.user_posts_per_window, "DELETE": settings.user_deletes_per_window}
        limit = per_window.get(method, settings.user_reads_per_window)
        if kind.startswith("media"):
            limit = settings.user_media_per_window
        windows = {"x-rate-limit": self._window(user, f"{method} {kind}", limit, _WINDOW_S)}
        if method == "POST" and kind == "tweets":
            windows["x-user-limit-24hour"] = self._window(user, "day", settings.user_posts_per_day, _DAY_S)
            windows["x-app-limit-24hour"] = self._window("", "day", settings.app_posts_per_day, _DAY_S)
        return windows

    def _window(self, user_id: str, name: str, limit: int, span_s: int) -> _Window:
        return self._windows.setdefault((user_id, name), _Window(limit, span_s))
