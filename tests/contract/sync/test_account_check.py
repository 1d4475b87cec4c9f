"""An account is checked by asking a server that verifies every signature."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.account_check import AccountCheck
from sync.accounts import Credentials, load_credentials
from sync.publisher import XPublisher
from sync.sandbox import Fault, FaultKind, Sandbox, SandboxSettings
from timebase import Clock, SystemClock, VirtualClock

CLOCK = SystemClock()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


async def checked(sandbox: Sandbox, credentials: Credentials, *, clock: Clock = CLOCK) -> AccountCheck:
    publisher = XPublisher([credentials], clock=clock, api_base=sandbox.api_base, ca_file=sandbox.ca_file)
    try:
        return await publisher.check(credentials.account_id)
    finally:
        await publisher.close()


async def test_good_keys_have_no_fault_and_nothing_is_posted(sandbox: Sandbox) -> None:
    """Whose they are, what they may do, how the clocks stand."""
    found = await checked(sandbox, load_credentials(sandbox.credentials_file("anna")))

    assert (found.handle, found.access, found.faults) == ("anna_tv", "read-write", ())
    assert abs(found.drift_s) < 3
    assert [(request.method, request.path) for request in sandbox.requests] == [("GET", "/2/users/me")]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"handle": "somebody"}, "the keys belong to @anna_tv, not to @somebody"),
        ({"user_id": "17"}, "user_id is 17 in the credentials and"),
        ({"consumer_secret": "wrong"}, "Could not authenticate you"),
    ],
)
async def test_what_would_fail_is_said_before_it_matters(sandbox: Sandbox, change: dict[str, Any], fault: str) -> None:
    """One sentence, never a secret."""
    good = load_credentials(sandbox.credentials_file("anna"))
    found = await checked(sandbox, Credentials.model_validate({**dict(good), **change}))

    assert len(found.faults) == 1
    assert fault in found.faults[0]
    assert good.access_token.get_secret_value() not in str(found)


async def test_a_clock_that_is_wrong_is_named_although_x_refuses(sandbox: Sandbox) -> None:
    """X's answer to a bad time stamp tells the time."""
    clock = VirtualClock(start_utc=CLOCK.utc() + timedelta(hours=2))
    found = await checked(sandbox, load_credentials(sandbox.credentials_file("anna")), clock=clock)

    assert any("clock differs from X's by +7" in fault for fault in found.faults)


async def test_keys_that_may_only_read_are_a_fault(tmp_path: Path) -> None:
    """The app's permissions were never raised; tokens made before they are keep the old ones."""
    async with Sandbox(tmp_path, [("anna", "anna_tv")], settings=SandboxSettings(read_only=True)) as sandbox:
        found = await checked(sandbox, load_credentials(sandbox.credentials_file("anna")))

    assert found.faults[0].startswith("the keys may only read; set the app's permissions to read and write")


async def test_no_answer_is_a_fault_and_no_exception(sandbox: Sandbox) -> None:
    """A maintenance page, a dropped connection."""
    for kind in (FaultKind.HTML_503, FaultKind.DROP):
        sandbox.faults.add(Fault(kind=kind, method="GET", times=1 if kind is FaultKind.HTML_503 else 9))
        found = await checked(sandbox, load_credentials(sandbox.credentials_file("anna")))
        assert len(found.faults) == 1
        assert found.handle == ""


async def test_an_unknown_account_is_said(sandbox: Sandbox) -> None:
    """As everywhere else."""
    publisher = XPublisher([], clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file)
    found = await publisher.check("nobody")
    await publisher.close()

    assert "no credentials" in found.faults[0]
