"""What a rehearsal is played from: the engine's record, a console's recorded bytes, a feed's recorded sound."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.config import Channel, Config, ConfigError, Feed, Fixture
from fingerprints.events import Detection
from hardware.events import ScoreEvent
from sync.recording import Recorded

if TYPE_CHECKING:
    from hardware.scoring import ScoreChange

CHUNK_BYTES = 64
"""Bytes of a capture that count as arrived together."""
BITS_A_BYTE = 10
"""On a serial line: a start bit, eight, a stop bit."""
STATUS_AGE_NS = 50_000_000
"""How long ago a listener has spoken, as a rule: it does ten times a second."""


def signals_of_capture(
    config: Config,
    fixture_id: str,
    capture: Path,
    *,
    protocol: str,
    starts_utc: datetime,
    lasts_s: float | None,
    tell: Callable[[str], None],
) -> Iterator[Recorded]:
    """The score events in a console's recorded bytes.

    Args:
        lasts_s: how long the recording took, its bytes evenly spread; None: as if they had come without a pause at the
            speed of the line.
        tell: told of changes of the score that are no events, and why.

    Raises:
        ConfigError: there is no such fixture.
        HardwareError: the protocol or the sport is not known.
        OSError: the file cannot be read.
    """
    from hardware.scoreboards.protocols import protocol_named
    from hardware.scoring import ScoreChange, ScoreKeeper, Seen

    fixture = _fixture(config, fixture_id)
    spoken = protocol_named(protocol)
    decoder, keeper = spoken.decoder(), ScoreKeeper(sport=fixture.sport)
    byte_ns = BITS_A_BYTE * 1e9 / spoken.baud if lasts_s is None else lasts_s * 1e9 / max(1, capture.stat().st_size)
    taken_bytes = number = 0
    with capture.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            taken_bytes += len(chunk)
            mono_ns = round(taken_bytes * byte_ns)
            for reading in decoder.feed(chunk):
                if not reading.valid:
                    continue
                for outcome in keeper.observe(Seen(reading=reading, mono_ns=mono_ns, utc_ns=0)):
                    if isinstance(outcome, ScoreChange):
                        number += 1
                        yield _scored(config, fixture, outcome, number=number, mono_ns=mono_ns, starts_utc=starts_utc)
                    else:
                        tell(f"{capture}, after {mono_ns / 1e9:.1f} s: {outcome.reason}; no goal counts")


def signals_of_feed(config: Config, feed_id: str, media: str, *, starts_utc: datetime) -> Iterator[Recorded]:
    """The spots that begin in a recording, as its channel's listener would tell of them; deciding takes no time.

    Raises:
        ConfigError: there is no such feed.
        FingerprintsError: there is no usable spot, or the recording cannot be read.
    """
    from fingerprints.audio import SAMPLE_RATE_HZ
    from fingerprints.onset import Onset
    from fingerprints.scan import ScanSettings, scan

    channel = _channel(config, _feed(config, feed_id))
    promise = config.listening.false_per_feed_year
    settings = ScanSettings(
        spots=config.paths.spots_dir, false_per_feed_year=promise, speeds=channel.rates, tempos=channel.tempos, late=False
    )
    _, library, _ = settings.open()
    for event in scan(media, library, false_per_feed_year=promise):
        if not isinstance(event, Onset):
            continue
        onset_s, decided_s = event.onset_sample / SAMPLE_RATE_HZ, event.decided_sample / SAMPLE_RATE_HZ
        decided_utc = starts_utc + timedelta(seconds=decided_s)
        detection = Detection(
            spot_id=event.spot_id,
            spot_ids=event.spot_ids,
            feed_id=feed_id,
            onset_s=onset_s,
            decided_s=decided_s,
            score=event.score,
            threshold=event.threshold,
            speed=event.speed,
            onset_mono_ns=round(onset_s * 1e9),
            decided_mono_ns=round(decided_s * 1e9),
            decided_utc=decided_utc,
        )
        yield Recorded(utc=decided_utc, mono_ns=detection.decided_mono_ns, event=detection, status_age_ns=STATUS_AGE_NS)


def _scored(
    config: Config, fixture: Fixture, change: "ScoreChange", *, number: int, mono_ns: int, starts_utc: datetime
) -> Recorded:
    device = next((one.id for one in config.devices if one.fixture == fixture.id), "capture")
    event = ScoreEvent(
        event_id=f"capture-{number}",
        venue=fixture.venue,
        device=device,
        fixture=fixture.id,
        kind=change.kind,
        side=change.side,
        delta=change.delta,
        home=change.home,
        away=change.away,
        ordinal=change.ordinal,
        period=change.first.reading.period,
        clock=change.first.reading.clock,
        event_utc=starts_utc + timedelta(microseconds=change.first.mono_ns / 1000),
        event_mono_ns=change.first.mono_ns,
        received_mono_ns=mono_ns,
    )
    return Recorded(utc=starts_utc + timedelta(microseconds=mono_ns / 1000), mono_ns=mono_ns, event=event)


def _fixture(config: Config, fixture_id: str) -> Fixture:
    found = {one.id: one for one in config.fixtures}
    if fixture_id not in found:
        raise ConfigError(f"fixture {fixture_id}: not in the configuration; it has {', '.join(found) or 'none'}")
    return found[fixture_id]


def _feed(config: Config, feed_id: str) -> Feed:
    found = {one.id: one for one in config.feeds}
    if feed_id not in found:
        raise ConfigError(f"feed {feed_id}: not in the configuration; it has {', '.join(found) or 'none'}")
    return found[feed_id]


def _channel(config: Config, feed: Feed) -> Channel:
    return next(one for one in config.channels if one.id == feed.channel)
