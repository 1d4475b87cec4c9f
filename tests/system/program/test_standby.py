"""Two engines on one ledger, as real processes: one fires, the other takes over when it falls silent."""

import asyncio
import contextlib
import signal
import sqlite3
import tomllib
from collections import Counter
from dataclasses import replace

import pytest
import tomli_w

from console.supervisor import Child
from sync.standby import STANDBY_NAME, standby_at
from tests.system.program.house import ACCOUNTS, PATIENCE_S, House, subscribed

pytestmark = pytest.mark.system


async def standby_of(house: House) -> House:
    """A second engine on the same ledger, with a state folder of its own; it stands by when this returns."""
    table = tomllib.loads((house.folder / "cuebird.toml").read_text())
    table["paths"]["state_dir"] = "standby"
    table["engine"]["ledger"] = "state/ledger.db"
    path = house.folder / "standby.toml"
    path.write_text(tomli_w.dumps(table))
    engine = await house.family.start_ready(Child(name="standby", arguments=("run", "engine", "--config", str(path))))
    assert engine.facts.get("standby") is True
    assert str(engine.facts.get("holder")).endswith(str(house.folder / house.state))
    sign = await standby_at(house.folder / "standby" / STANDBY_NAME)
    assert sign is not None
    assert sign.holder == engine.facts["holder"]
    return replace(house, engine=engine, state="standby")


async def posted(house: House, goals: int) -> None:
    """Wait until every account has cheered so many goals, and see that none has done so twice."""
    await house.until(lambda: Counter(one["state"] for one in house.firings())["POSTED"] == goals * len(ACCOUNTS), "all posted")
    tweets = await house.tweets()
    assert len(tweets) == goals * len(ACCOUNTS)
    assert len({(tweet["handle"], tweet["text"]) for tweet in tweets}) == len(tweets)


async def pause_between_writes(house: House, main: asyncio.subprocess.Process) -> None:
    """Stop an engine where it holds no lock on the ledger: in the middle of a write nobody else can write until it goes on."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            main.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.05)
            try:
                with contextlib.closing(sqlite3.connect(house.folder / house.state / "ledger.db", timeout=0)) as ledger:
                    ledger.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                main.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.05)


async def test_a_paused_engine_is_replaced_and_fenced(house: House) -> None:
    """SIGSTOP: the standby fires the next goal; woken, the first engine fires nothing and stands by in turn."""
    standby = await standby_of(house)
    await house.scoreboard.publish(house.scoreboard.goal())
    await posted(house, 1)
    main = house.engine.process
    assert main is not None
    starts = house.engine.starts

    await pause_between_writes(house, main)
    await standby.until(standby.socket_path.exists, "the standby took over")
    await subscribed(standby)
    await house.scoreboard.publish(house.scoreboard.goal())
    await posted(house, 2)
    assert await standby_at(standby.socket_path.with_name(STANDBY_NAME)) is None

    main.send_signal(signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        while house.engine.starts == starts or not house.engine.ready.is_set():
            await asyncio.sleep(0.05)
    assert house.engine.facts.get("standby") is True
    await house.scoreboard.publish(house.scoreboard.goal())
    await posted(house, 3)
    await asyncio.sleep(1.0)
    assert len(await house.tweets()) == 3 * len(ACCOUNTS)


async def test_an_engine_that_stops_in_order_is_replaced_at_once(house: House) -> None:
    """SIGTERM: it lets go, and its restart finds the other one alive."""
    standby = await standby_of(house)
    main = house.engine.process
    assert main is not None
    main.terminate()
    await standby.until(standby.socket_path.exists, "the standby took over")
    await subscribed(standby)
    await house.scoreboard.publish(house.scoreboard.goal())
    await posted(house, 1)
