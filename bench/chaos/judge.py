"""Every guarantee, judged from outside: what arrived at the sandbox against what the ledger says and what really happened.

Instants need no tolerance. The sandbox is asked for a sign many times a second; it reads its connections in turn, so whatever
had reached its socket before a sign was asked for has been read when the sign is given. A request that is read after that sign
was therefore sent after the question: the newest such question is the earliest instant at which it can have left.
"""

import bisect
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from bench.chaos.processes import CLOCK
from bench.chaos.sandbox import ARRIVALS_NAME, TWEETS_NAME
from bench.chaos.steps import ENGINE_OPENED
from bench.chaos.story import Goal, Truth
from sync.audit import AuditFiles, read_anchor, verify
from sync.database import Database
from sync.errors import LedgerError
from sync.key_files import read_key
from sync.simulation import BrokenGuaranteeError
from sync.states import SETTLED, TRANSITIONS, FiringState

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FINAL = frozenset(state for state, targets in TRANSITIONS.items() if not targets)


class Row(NamedTuple):
    """What is read of a firing."""

    firing_id: int
    occurrence_id: str
    cue_id: str
    account_id: str
    state: str
    epoch: int
    text: str
    spot_id: str | None
    tweet_id: str | None
    claimed_mono_ns: int | None
    deadline_mono_ns: int
    body: str
    body_sha256: str | None

    @property
    def real_goal(self) -> tuple[str, str]:
        """Its cue, and its occurrence without the take."""
        return self.cue_id, self.occurrence_id.rpartition("/")[0]


_ROWS = (
    "SELECT firing_id, occurrence_id, cue_id, account_id, state, epoch, text, spot_id, tweet_id, claimed_mono_ns, "
    "deadline_mono_ns, body, body_sha256 FROM firing ORDER BY firing_id"
)
_OPENED = f"SELECT utc, facts_json FROM audit WHERE kind = '{ENGINE_OPENED}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A POST that reached the sandbox, whatever became of it."""

    at_mono_ns: int
    account_id: str
    body: str

    @property
    def text(self) -> str:
        """Of the tweet."""
        return str(json.loads(self.body)["text"])


class Judge:
    """Judges one house.

    Args:
        accounts: our account id by X's user id.
        cues_of: ids of the cues that want a fixture's goals, by fixture.
    """

    def __init__(
        self,
        truth: Truth,
        *,
        ledger: Path | str,
        audit: AuditFiles,
        sandbox_dir: Path,
        accounts: dict[str, str],
        cues_of: dict[str, tuple[str, ...]],
    ) -> None:
        self._truth, self._audit, self._sandbox_dir = truth, audit, sandbox_dir
        self._accounts, self._cues_of = accounts, cues_of
        self._database = Database(ledger)
        self._seen: dict[int, Row] = {}

    def close(self) -> None:
        """Let go of the ledger."""
        self._database.close()

    @property
    def firings(self) -> int:
        """How many the ledger had at the last look."""
        return len(self._seen)

    def look(self) -> None:
        """Judge that what the ledger said once it still says; to be called at any time.

        Raises:
            BrokenGuaranteeError: a record is lost, or has left a state that is for good.
        """
        with contextlib.suppress(LedgerError):
            rows = {row.firing_id: row for row in self._rows()}
            for firing_id, known in self._seen.items():
                row = rows.get(firing_id)
                if row is None:
                    raise BrokenGuaranteeError("G2", f"firing {firing_id} ({known.state}) was in the ledger, and is not any more")
                if FiringState(known.state) in _FINAL and (row.state, row.tweet_id) != (known.state, known.tweet_id):
                    raise BrokenGuaranteeError("G2", f"firing {firing_id} was {known.state} for good, and is {row.state}")
            self._seen = rows

    def open_questions(self) -> list[str]:
        """What time may still answer: firings under way, tweets that no firing knows of yet, goals without a record."""
        rows = self._rows()
        asked = [f"firing {row.firing_id} rests in {row.state}" for row in rows if FiringState(row.state) not in SETTLED]
        posted = {row.tweet_id for row in rows if row.state == FiringState.POSTED}
        tweets = {tweet["tweet_id"]: tweet for tweet in self._lines(TWEETS_NAME)}
        asked += [
            f"tweet {tweet['text']!r} stands on the timeline of {tweet['account_id']}, and no firing says so"
            for tweet_id, tweet in tweets.items()
            if tweet_id not in posted
        ]
        asked += [
            f"firing {row.firing_id} says it posted {row.tweet_id}, which never was"
            for row in rows
            if row.state == FiringState.POSTED and row.tweet_id not in tweets
        ]
        told = {row.real_goal for row in rows}
        asked += [
            f"nothing is recorded of {goal.text!r} for {cue_id}, though nothing disturbed the engine that was told of it"
            for goal in self._truth.sure
            for cue_id in self._cues_of[goal.fixture]
            if (cue_id, goal.occurrence) not in told
        ]
        return asked

    def posts_again(self, goals: Sequence[Goal]) -> bool:
        """Whether one of these goals has been posted."""
        posted = {row.real_goal[1] for row in self._rows() if row.state == FiringState.POSTED}
        return any(goal.occurrence in posted for goal in goals)

    def check(self) -> int:
        """Judge everything that has arrived; nothing may be under way. Returns how many POSTs there were.

        Raises:
            BrokenGuaranteeError: by the first guarantee that does not hold.
        """
        self.look()
        by_text: dict[tuple[str, str], list[Row]] = {}
        for row in self._rows():
            if row.claimed_mono_ns is not None:
                by_text.setdefault((row.account_id, row.text), []).append(row)
        arrivals, opened = self._arrivals(), self._opened()
        counts: Counter[tuple[str, ...]] = Counter()
        for arrival in arrivals:
            rows = by_text.get((arrival.account_id, arrival.text), [])
            if not rows:
                raise BrokenGuaranteeError("G1", f"{arrival.text!r} was sent from {arrival.account_id} without a claim")
            self._judge_once(arrival, rows[0], counts)
            self._judge_bytes(arrival, rows[0])
            self._judge_time(arrival, rows[0], opened)
        self._judge_audit()
        return len(arrivals)

    # --- one request ----------------------------------------------------------------------------

    def _judge_once(self, arrival: Arrival, row: Row, counts: Counter[tuple[str, ...]]) -> None:
        # A goal's text names the goal; a spot's is one of many, and its firing names the one airing of that spot.
        real = row.spot_id or arrival.text
        counts["real", row.cue_id, arrival.account_id, real] += 1
        counts["text", arrival.account_id, arrival.text] += 1
        if counts["text", arrival.account_id, arrival.text] > 1:
            raise BrokenGuaranteeError("G1", f"{arrival.text!r} was sent twice from {arrival.account_id}")
        if counts["real", row.cue_id, arrival.account_id, real] > 1:
            raise BrokenGuaranteeError("G1", f"{real!r} was sent twice for {row.cue_id}")

    def _judge_bytes(self, arrival: Arrival, row: Row) -> None:
        if arrival.body != row.body or row.body_sha256 != hashlib.sha256(arrival.body.encode()).hexdigest():
            raise BrokenGuaranteeError("G9", f"{arrival.text!r} is not what firing {row.firing_id} claimed")

    def _judge_time(self, arrival: Arrival, row: Row, opened: dict[int, int]) -> None:
        left_ns, what = self._left_after_ns(arrival), f"{arrival.text!r} (firing {row.firing_id})"
        if arrival.text in self._truth.retained:
            raise BrokenGuaranteeError("G4", f"{what} was sent for a goal that only a retained message told")
        if left_ns > row.deadline_mono_ns:
            raise BrokenGuaranteeError("G4", f"{what} left {(left_ns - row.deadline_mono_ns) / 1e6:.0f} ms after its deadline")
        newer_ns = min((at_ns for epoch, at_ns in opened.items() if epoch > row.epoch), default=left_ns)
        if left_ns > newer_ns:
            sentence = f"{what} left {(left_ns - newer_ns) / 1e6:.0f} ms after the engine that claimed it had been replaced"
            raise BrokenGuaranteeError("G4", sentence)
        for from_ns, until_ns in self._truth.killed:
            if from_ns < left_ns and arrival.at_mono_ns < until_ns:
                raise BrokenGuaranteeError("G5", f"{what} left {(left_ns - from_ns) / 1e6:.0f} ms after a kill was acknowledged")

    def _left_after_ns(self, arrival: Arrival) -> int:
        """The latest instant of which it is certain that the request had not left before."""
        probes = self._truth.probes
        place = bisect.bisect_left(probes, arrival.at_mono_ns, key=lambda probe: probe[1])
        return probes[place - 1][0] if place else 0

    # --- what is read ---------------------------------------------------------------------------

    def _judge_audit(self) -> None:
        # The anchor first: a record may be added in between, none taken away.
        anchor = read_anchor(self._audit.anchor_file)
        fault = verify(self._database, read_key(self._audit.key_file), anchor).fault
        if fault is not None:
            raise BrokenGuaranteeError("G12", fault.sentence)

    def _rows(self) -> list[Row]:
        return [Row(*row) for row in self._read(_ROWS)]

    def _opened(self) -> dict[int, int]:
        """When each engine took over, in mono_ns, by epoch."""
        offset_ns = _ns_of(CLOCK.utc() - _UNIX_EPOCH) - CLOCK.mono_ns()
        return {json.loads(facts)["epoch"]: utc_us * 1000 - offset_ns for utc_us, facts in self._read(_OPENED)}

    def _read(self, statement: str) -> list[Any]:
        with self._database.reading() as connection:
            return list(connection.exec_driver_sql(statement))

    def _arrivals(self) -> list[Arrival]:
        return [
            Arrival(at_mono_ns=one["at_mono_ns"], account_id=self._accounts[one["user_id"]], body=one["body"])
            for one in self._lines(ARRIVALS_NAME)
        ]

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """What the sandbox wrote down; a kill may have cut a line, which then told of nothing that was done."""
        path, found = self._sandbox_dir / name, list[dict[str, Any]]()
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found


def _ns_of(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
