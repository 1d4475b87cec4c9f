"""The uploader against the sandbox: whole, in order, on a connection of its own; and never what was not approved."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sync.accounts import load_credentials
from sync.media import Media
from sync.media_check import check_media
from sync.media_client import SEGMENT_BYTES, XMediaUploader
from sync.media_uploading import MediaUploadError
from sync.publisher import XPublisher
from sync.sandbox import Fault, FaultKind, Sandbox, SandboxSettings
from tests.media_makers import mp4, picture, png
from timebase import SystemClock

CLOCK = SystemClock()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(media_processing_s=0.3)
    async with Sandbox(tmp_path / "sandbox", [("anna", "anna_tv")], settings=settings) as running:
        yield running


@pytest.fixture
async def publisher(sandbox: Sandbox) -> AsyncIterator[XPublisher]:
    credentials = load_credentials(sandbox.credentials_file("anna"))
    made = XPublisher([credentials], clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file)
    yield made
    await made.close()


@pytest.fixture
def uploader(publisher: XPublisher) -> XMediaUploader:
    return publisher.media_uploader()


def kept(folder: Path, content: bytes, *, alt: str = "") -> tuple[Media, Path]:
    path = folder / "medium"
    path.write_bytes(content)
    one = check_media(path)
    media = Media(
        file="medium",
        sha256=one.sha256,
        media_type=one.media_type,
        category=one.category,
        size_bytes=one.size_bytes,
        width=one.width,
        height=one.height,
        alt=alt,
    )
    return media, path


def asked(sandbox: Sandbox) -> list[str]:
    return [f"{one.method} {one.path.split('/')[-1]}" for one in sandbox.requests]


async def test_an_image_arrives_whole_with_its_alternative_text(
    sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path
) -> None:
    """And may be posted for a day."""
    media, path = kept(tmp_path, png(), alt="a red wall")
    before_utc = CLOCK.utc()
    upload = await uploader.upload("anna", media, path, lambda: "")
    assert (upload.account_id, upload.upload_key) == ("anna", media.upload_key)
    assert 86_390 < (upload.expires_utc - before_utc).total_seconds() <= 86_401
    assert asked(sandbox) == ["POST initialize", "POST append", "POST finalize", "POST metadata"]
    stored = sandbox.media(upload.media_id)
    assert stored is not None
    assert (stored.content, stored.alt) == (png(), "a red wall")


async def test_a_large_file_comes_in_segments(sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path) -> None:
    """In their order, without a byte too many."""
    noise = picture(700, 700, form="BMP")
    png_of_noise = png() + bytes(range(256)) * (len(noise) // 300)
    media, path = kept(tmp_path, png_of_noise)
    assert media.size_bytes > SEGMENT_BYTES
    upload = await uploader.upload("anna", media, path, lambda: "")
    stored = sandbox.media(upload.media_id)
    assert stored is not None
    assert stored.content == png_of_noise
    assert asked(sandbox).count("POST append") == -(-media.size_bytes // SEGMENT_BYTES)


async def test_a_video_is_ready_only_when_x_has_processed_it(sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path) -> None:
    """X is asked again as it says, until it has."""
    media, path = kept(tmp_path, mp4())
    upload = await uploader.upload("anna", media, path, lambda: "")
    assert asked(sandbox)[-1] == "GET upload"
    stored = sandbox.media(upload.media_id)
    assert stored is not None
    assert stored.content == mp4()


async def test_a_video_that_x_cannot_process_is_no_upload(sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path) -> None:
    """With X's own words."""
    sandbox.faults.add(Fault(kind=FaultKind.MEDIA_FAILED, path="/2/media/upload/", after=2))
    media, path = kept(tmp_path, mp4())
    with pytest.raises(MediaUploadError, match="could not process it: Unsupported video format"):
        await uploader.upload("anna", media, path, lambda: "")


async def test_a_file_exchanged_while_it_is_uploaded_is_never_finalised(
    sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path
) -> None:
    """What X holds then cannot be posted."""
    media, path = kept(tmp_path, png())
    path.write_bytes(png("blue"))
    with pytest.raises(MediaUploadError, match="is not the file that was approved any more"):
        await uploader.upload("anna", media, path, lambda: "")
    assert "POST finalize" not in asked(sandbox)


async def test_a_kill_stops_an_upload_before_its_next_request(sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path) -> None:
    """Asked before each of them."""
    media, path = kept(tmp_path, png())
    answers = iter(["", "killed: smoke"])
    with pytest.raises(MediaUploadError, match="killed: smoke"):
        await uploader.upload("anna", media, path, lambda: next(answers))
    assert asked(sandbox) == ["POST initialize"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (FaultKind.RATE_429, "X answered 429"),
        (FaultKind.HTML_503, "X answered 503"),
        (FaultKind.DROP, "the connection was closed without an answer"),
        (FaultKind.CUT_201, "the answer was cut short"),
        (FaultKind.GARBLED_201, "X answered 201"),
    ],
)
async def test_whatever_goes_wrong_is_one_sentence(
    sandbox: Sandbox, uploader: XMediaUploader, tmp_path: Path, kind: FaultKind, told: str
) -> None:
    """At the first request or the last."""
    media, path = kept(tmp_path, png())
    for after in (0, 2):
        sandbox.faults.clear()
        sandbox.faults.add(Fault(kind=kind, path="/2/media/", after=after))
        with pytest.raises(MediaUploadError, match=told):
            await uploader.upload("anna", media, path, lambda: "")


async def test_warm_connections_stay_for_firing(
    sandbox: Sandbox, publisher: XPublisher, uploader: XMediaUploader, tmp_path: Path
) -> None:
    """An upload has a connection of its own, and leaves none behind."""
    await publisher.warm("anna")
    await until(lambda: publisher.health("anna").connections == 2)
    media, path = kept(tmp_path, png())
    await uploader.upload("anna", media, path, lambda: "")
    assert {one.connection for one in sandbox.requests} == {3}
    await until(lambda: sandbox.open_connections == 2)
    assert publisher.health("anna").connections == 2


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_an_account_without_credentials_uploads_nothing(uploader: XMediaUploader, tmp_path: Path) -> None:
    """It is named."""
    media, path = kept(tmp_path, png())
    with pytest.raises(MediaUploadError, match="account 'ben' has no credentials"):
        await uploader.upload("ben", media, path, lambda: "")
