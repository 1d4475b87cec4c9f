"""The measurements: shots far apart, a hundred cues at once, a kill in a flood, minutes at full rate, a ledger that grows."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.firing import processes, ways
from bench.firing.inputs import detection, status
from bench.firing.processes import CLOCK, EngineProcess
from bench.firing.scene import NO_CAPS, Scene, goal_cue, read_posts, spot_cue, write_ledger
from bench.firing.setting import FiringSetting
from sync.caps import CapLimits
from sync.cues import Cue
from sync.decide import Intent, Moment, decide_goal
from sync.firings import Firings
from sync.ledger import Ledger
from sync.receipts import FiringRecord
from sync.schema import FIRING
from sync.setup import LEDGER_NAME
from sync.signals import GoalScored, goal_occurrence
from sync.states import FiringState, Mode

ROUND_S = 0.5
"""Between two shots of one way; the other ways take their turns in between."""
REST_S = 0.05
SPOTS_A_CUE = 10
BURST_ACCOUNTS, BURST_CUES = 10, 10
FLOOD_FIXTURES, FLOOD_RATE = 20, 800
SUSTAINED_FIXTURES, SUSTAINED_CUES, SUSTAINED_RATE = 20, 50, 500
CLAIMS_A_SIZE = 200
MADE_AT_ONCE = 20_000


# --- shots, half a second apart ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shots:
    """Microseconds from the order to the first byte at the server, by way; and where the engine's own go.

    Attributes:
        steps: by step of the engine's way, from decided to arrived.
    """

    ways: dict[str, list[float]]
    steps: dict[str, list[float]]


async def measure_shots(folder: Path, setting: FiringSetting) -> Shots:
    """Every way takes its turn, `rounds` times, all to the same server."""
    n_cues = -(-setting.rounds // SPOTS_A_CUE)
    spots = tuple(f"shot{number}" for number in range(n_cues * SPOTS_A_CUE))
    own = [
        spot_cue(f"cue{k}", account="shots", spots=spots[k * SPOTS_A_CUE : (k + 1) * SPOTS_A_CUE], variants=SPOTS_A_CUE)
        for k in range(n_cues)
    ]
    scene = Scene(cues=(*own, goal_cue("goal", account="goals", fixture="final")), spots=spots, mqtt_fixture="final")
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(processes.mosquitto(folder))
        server = await stack.enter_async_context(processes.sandbox(folder / "sandbox", (*scene.accounts, "peers")))
        engine = await stack.enter_async_context(processes.engine(folder / "engine", scene, server, mqtt_port=port))
        taking_turns = await ways.others(stack, folder, server, mqtt_port=port)
        asked: dict[str, tuple[str, int]] = {}
        goals_asked: dict[int, int] = {}
        await asyncio.sleep(1.0)
        for number in range(setting.rounds):
            began = time.monotonic()
            await engine.client.report("feed", feed=status())
            await asyncio.sleep(REST_S)
            await engine.client.report("detection", detection=detection(spots[number]))
            await asyncio.sleep(REST_S)
            if taking_turns.goal is not None:
                goals_asked[number + 1] = await taking_turns.goal(number + 1)
                await asyncio.sleep(REST_S)
            for way, post in taking_turns.posts.items():
                text = f"{way} {number}"
                asked[text] = (way, await post(text))
                await asyncio.sleep(REST_S)
            await asyncio.sleep(max(0.0, ROUND_S - (time.monotonic() - began)))
        await asyncio.sleep(1.0)
        arrived = await server.arrivals()
    records = read_posts(folder / "engine")
    found: dict[str, list[float]] = {way: [] for way in (*taking_turns.posts, *taking_turns.floors, ways.OURS, ways.OURS_MQTT)}
    for text, (way, asked_ns) in asked.items():
        if text in arrived:
            found[way].append((arrived[text] - asked_ns) / 1000)
    for way, values in taking_turns.floors.items():
        found[way] += values
    steps: dict[str, list[float]] = {"decided → claimed": [], "claimed → first byte": [], "first byte → arrived": []}
    for record in records:
        if record.text not in arrived or record.decided_mono_ns is None:
            continue
        if record.account_id == "shots":
            found[ways.OURS].append((arrived[record.text] - record.decided_mono_ns) / 1000)
            instants = [record.decided_mono_ns, record.claimed_mono_ns or 0, record.first_byte_mono_ns or 0, arrived[record.text]]
            for name, begin, end in zip(steps, instants, instants[1:], strict=False):
                steps[name].append((end - begin) / 1000)
        else:
            asked_at_ns = goals_asked[int(record.occurrence_id.split("/")[-2])]
            found[ways.OURS_MQTT].append((arrived[record.text] - asked_at_ns) / 1000)
    return Shots(
        ways={way: sorted(values) for way, values in found.items() if values},
        steps={name: sorted(values) for name, values in steps.items()},
    )


# --- a hundred cues in one instant ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What became of a hundred cues triggered in one instant.

    Attributes:
        wire_ms: from deciding to each first byte, in their order.
        lost: cues that were not posted.
        late: those whose deadline passed.
        unfair: places by which an account's n-th tweet left before or after another account's n-th, at most.
    """

    wire_ms: list[float]
    lost: int
    late: int
    unfair: int


async def measure_bursts(folder: Path, setting: FiringSetting) -> list[Burst]:
    """One spot that ten cues of each of ten accounts wait for, again and again."""
    spots = tuple(f"burst{number}" for number in range(setting.bursts))
    cues = tuple(
        spot_cue(f"a{account}-{number}", account=f"account{account}", spots=spots, variants=setting.bursts)
        for account in range(BURST_ACCOUNTS)
        for number in range(BURST_CUES)
    )
    scene = Scene(cues=cues, spots=spots, connections=BURST_CUES)
    async with (
        processes.sandbox(folder / "sandbox", scene.accounts) as server,
        processes.engine(folder / "engine", scene, server) as engine,
    ):
        await asyncio.sleep(3.0)
        for spot in spots:
            await engine.client.report("feed", feed=status())
            await engine.client.report("detection", detection=detection(spot))
            # The keepers open a hundred connections anew.
            await asyncio.sleep(2.5)
    by_spot: dict[str, list[FiringRecord]] = {spot: [] for spot in spots}
    for record in read_posts(folder / "engine"):
        by_spot[record.spot_id or ""].append(record)
    return [_burst(records, expected=len(cues)) for records in by_spot.values()]


def _burst(records: Sequence[FiringRecord], *, expected: int) -> Burst:
    sent = sorted((one for one in records if one.first_byte_mono_ns is not None), key=lambda one: one.first_byte_mono_ns or 0)
    posted = sum(record.state is FiringState.POSTED for record in records)
    counts: dict[str, int] = {}
    unfair = 0
    for place, record in enumerate(sent):
        nth = counts.get(record.account_id, 0)
        counts[record.account_id] = nth + 1
        # In perfect turns an account's n-th leaves among the places n · accounts … (n + 1) · accounts.
        unfair = max(unfair, nth * BURST_ACCOUNTS - place, place - (nth + 1) * BURST_ACCOUNTS + 1)
    return Burst(
        wire_ms=[((one.first_byte_mono_ns or 0) - (one.decided_mono_ns or 0)) / 1e6 for one in sent],
        lost=expected - posted,
        late=sum(record.state is FiringState.EXPIRED for record in records),
        unfair=unfair,
    )


# --- a kill in a flood ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """Kills while triggers are in flight.

    Attributes:
        answered_ms: from asking to the acknowledgement.
        posts_before: first bytes in the quarter of a second before each kill was asked for: the flood was there.
        posts_after: first bytes between each acknowledgement and its release. None may be.
    """

    answered_ms: list[float]
    posts_before: list[int]
    posts_after: int


async def measure_kills(folder: Path, setting: FiringSetting) -> Kills:
    """Eight hundred signals a second, more than go out; then a kill, at an instant nobody chose."""
    fixtures = tuple(f"flood{number}" for number in range(FLOOD_FIXTURES))
    cues = tuple(goal_cue(f"cue-{name}", account=f"acc{number % 10}", fixture=name) for number, name in enumerate(fixtures))
    scene = Scene(cues=cues, fixtures=fixtures, connections=8)
    rng = random.Random(4)
    spans: list[tuple[int, int, int]] = []
    async with (
        processes.sandbox(folder / "sandbox", scene.accounts) as server,
        processes.engine(folder / "engine", scene, server) as engine,
    ):
        await asyncio.sleep(3.0)
        for _ in range(setting.kills):
            engine.score(rate=FLOOD_RATE, seconds=1.0)
            await asyncio.sleep(rng.uniform(0.3, 0.9))
            asked_ns = CLOCK.mono_ns()
            await engine.client.request("kill", actor="bench", reason="measuring")
            answered_ns = CLOCK.mono_ns()
            await engine.scored()
            await asyncio.sleep(0.5)
            spans.append((asked_ns, answered_ns, CLOCK.mono_ns()))
            await _quiet(engine)
            await engine.client.request("release", actor="bench", reason="measuring")
    sent_ns = sorted(one.first_byte_mono_ns for one in read_posts(folder / "engine") if one.first_byte_mono_ns is not None)
    return Kills(
        answered_ms=sorted((answered - asked) / 1e6 for asked, answered, _ in spans),
        posts_before=[sum(asked - 250_000_000 <= at <= asked for at in sent_ns) for asked, _, _ in spans],
        posts_after=sum(answered < at < released for _, answered, released in spans for at in sent_ns),
    )


async def _quiet(engine: EngineProcess) -> None:
    """Return once nothing is under way: what was claimed before a kill must not be waiting when it is released."""
    while True:
        firings = (await engine.client.request("snapshot"))["firings"]
        if not any(firing["state"] in ("ARMED", "CLAIMED") for firing in firings):
            return
        await asyncio.sleep(0.1)


# --- at full rate --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """Minutes of firings, decided and claimed and brought to rest in a rehearsal.

    Attributes:
        rate: claims a second, from the first to the last.
        claimed_ms: from deciding to the claim, sorted.
        memory: seconds since the beginning, MiB held.
    """

    asked: int
    claimed: int
    rate: float
    claimed_ms: list[float]
    memory: list[tuple[float, float]]

    @property
    def growth_mib(self) -> float:
        """Memory at the end less memory after a quarter of the time."""
        after = [mib for _, mib in self.memory]
        return after[-1] - after[len(after) // 4]


async def measure_sustained(folder: Path, setting: FiringSetting) -> Sustained:
    """Ten goals a second that fifty cues each wait for."""
    fixtures = tuple(f"match{number}" for number in range(SUSTAINED_FIXTURES))
    cues = tuple(
        goal_cue(f"{name}-{number}", account=f"acc{number}", fixture=name)
        for name in fixtures
        for number in range(SUSTAINED_CUES)
    )
    scene = Scene(cues=cues, fixtures=fixtures, mode=Mode.REHEARSAL)
    memory = list[tuple[float, float]]()
    async with (
        processes.sandbox(folder / "sandbox", scene.accounts) as server,
        processes.engine(folder / "engine", scene, server) as engine,
    ):
        await asyncio.sleep(1.0)
        engine.score(rate=SUSTAINED_RATE / SUSTAINED_CUES, seconds=setting.seconds)
        began = time.monotonic()
        done = asyncio.create_task(engine.scored(), name="scored")
        while not done.done():
            await asyncio.sleep(0.5)
            memory.append((time.monotonic() - began, engine.resident_mib()))
        scored = await done
        await asyncio.sleep(2.0)
    columns = (FIRING.c.decided_mono_ns, FIRING.c.claimed_mono_ns)
    ledger = Ledger.open(folder / "engine" / LEDGER_NAME)
    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(*columns).where(FIRING.c.claimed_mono_ns.is_not(None))).all()
    ledger.close()
    first_ns, last_ns = min(claimed for _, claimed in rows), max(claimed for _, claimed in rows)
    return Sustained(
        asked=scored["goals"] * SUSTAINED_CUES,
        claimed=len(rows),
        rate=len(rows) / max(1e-9, (last_ns - first_ns) / 1e9),
        claimed_ms=sorted((claimed - decided) / 1e6 for decided, claimed in rows),
        memory=memory,
    )


# --- a ledger that grows -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a claim costs in a ledger of each size, and what a bare commit costs at the same time; milliseconds, sorted."""

    sizes: list[int]
    claim_ms: list[list[float]]
    commit_ms: list[list[float]]


def measure_growth(folder: Path, setting: FiringSetting) -> Growth:
    """Firings of the last month are put into a ledger, and at each size claims are timed, with bare commits in between."""
    cue = goal_cue("goal", account="bank", fixture="final")
    folder.mkdir(parents=True, exist_ok=True)
    write_ledger(Scene(cues=(cue,), fixtures=("final",)), folder / LEDGER_NAME, CLOCK)
    sizes, claim_ms, commit_ms = list[int](), list[list[float]](), list[list[float]]()
    ledger = Ledger.open(folder / LEDGER_NAME)
    limits = CapLimits(spot=NO_CAPS, campaign=NO_CAPS, account=NO_CAPS, everything=NO_CAPS)
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="bench", limits=limits)
    commit = ways.bare_commit(folder / "floor.db")
    made, ordinals = 0, iter(range(1, 1_000_000))
    for size in _sizes(setting.ledger_firings):
        while made < size:
            made += _make_firings(ledger, made, min(MADE_AT_ONCE, size - made), cue_id=cue.cue_id)
        ledger.database.checkpoint()
        claims, commits = list[float](), list[float]()
        for ordinal in (next(ordinals) for _ in range(CLAIMS_A_SIZE)):
            intent = _intent(cue, ordinal)
            began = time.perf_counter()
            record = firings.claim(intent, account_faults={}).record
            claims.append((time.perf_counter() - began) * 1000)
            if record is None or record.state is not FiringState.CLAIMED:
                raise RuntimeError(f"bench: a claim was declined ({record.reason if record else 'claimed before'})")
            began = time.perf_counter()
            commit()
            commits.append((time.perf_counter() - began) * 1000)
        sizes.append(size)
        claim_ms.append(sorted(claims))
        commit_ms.append(sorted(commits))
    ledger.close()
    return Growth(sizes=sizes, claim_ms=claim_ms, commit_ms=commit_ms)


def _sizes(most: int) -> Iterator[int]:
    size = 100
    while size < most:
        yield size
        size *= 10
    yield most


def _make_firings(ledger: Ledger, begin: int, count: int, *, cue_id: str) -> int:
    """Rows of the last thirty days, as an engine would have left them."""
    month_us, now_us = 30 * 86_400 * 10**6, round(CLOCK.utc().timestamp() * 1e6)
    columns = [column.name for column in FIRING.columns if column.name != "firing_id"]
    common = {
        "cue_id": cue_id, "cue_name": "Goal", "campaign": "", "priority": 0, "body": "", "body_sha256": None,
        "account_id": "bank", "mode": "LIVE", "action": "post", "state": "POSTED",
        "reserving": True, "guard": "", "reason": "", "text": "final home 1:0 final away #ad", "spot_id": None,
        "of_firing_id": None, "http_status": 201, "epoch": 1, "boot_id": "before", "deadline_mono_ns": 1, "connection": "warm",
        "settled_by": "", "on_air_mono_ns": 1, "heard_mono_ns": 1, "decided_mono_ns": 1, "claimed_mono_ns": 1,
        "first_byte_mono_ns": 1, "answered_mono_ns": 1,
    }  # fmt: skip
    rows = list[dict[str, object]]()
    for number in range(begin, begin + count):
        at_us = now_us - month_us + number * 2 % month_us
        instants = dict.fromkeys(("on_air_utc", "decided_utc", "claimed_utc", "answered_utc", "updated_utc"), at_us)
        own = {"occurrence_id": f"goal:old/home/{number}/1", "text_sha256": f"{number:064x}", "tweet_id": str(10**18 + number)}
        rows.append({**common, **instants, **own})
    marks = ", ".join(f":{name}" for name in columns)
    with ledger.database.writing() as connection:
        connection.execute(sa.text(f"INSERT INTO firing ({', '.join(columns)}) VALUES ({marks})"), rows)
    return count


# --- what all of them need -----------------------------------------------------------------------


def _intent(cue: Cue, ordinal: int) -> Intent:
    now_ns, now_utc = CLOCK.mono_ns(), CLOCK.utc()
    signal = GoalScored(
        occurrence_id=goal_occurrence(fixture="final", side="home", ordinal=ordinal, take=1),
        fixture="final",
        side="home",
        ordinal=ordinal,
        take=1,
        home_score=ordinal // 999,
        away_score=ordinal % 999,
        period="1",
        clock="12:34",
        taken_back=False,
        on_air_mono_ns=now_ns,
        on_air_utc=now_utc,
        heard_mono_ns=now_ns,
    )
    names = {"final": ("final home", "final away")}
    (intent,) = decide_goal(signal, [cue], names=names, now=Moment(mono_ns=now_ns, utc=now_utc))
    return intent
