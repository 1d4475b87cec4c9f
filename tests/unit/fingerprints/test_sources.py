"""Addresses and their settings, and the command line that the system's ffmpeg gets."""

import pytest

from fingerprints.external import command_for
from fingerprints.sources import CaptureError, Transport, masked, parse_source


@pytest.mark.parametrize(
    ("url", "scheme", "address", "transport", "external"),
    [
        ("a.wav", "file", "a.wav", Transport.FILE, False),
        ("file:///a.wav", "file", "/a.wav", Transport.FILE, False),
        ("-", "stdin", "-", Transport.FILE, False),
        ("alsa://hw:1,0", "alsa", "hw:1,0", Transport.STREAM, False),
        ("http://h/live.mpd?x=1", "http", "http://h/live.mpd?x=1", Transport.SEGMENTS, True),
        ("SRT://h:9000?mode=caller", "srt", "SRT://h:9000?mode=caller", Transport.STREAM, True),
        ("rist://h:9000", "rist", "rist://h:9000", Transport.STREAM, True),
        ("rtmp://h/live/a", "rtmp", "rtmp://h/live/a", Transport.STREAM, False),
    ],
)
def test_who_opens_what(url: str, scheme: str, address: str, transport: Transport, external: bool) -> None:
    """Scheme, address, way of arrival, and whether the system's ffmpeg is needed."""
    source = parse_source(url)

    assert (source.scheme, source.address, source.transport, source.external) == (scheme, address, transport, external)


def test_settings_stand_after_the_mark_and_never_reach_the_server() -> None:
    """Programme, track and channel are ours; a programme is chosen by ffmpeg."""
    source = parse_source("udp://239.1.1.1:5000?localaddr=10.0.0.5#program=2&track=3&channel_mix=left")

    assert source.address == "udp://239.1.1.1:5000?localaddr=10.0.0.5"
    assert (source.program, source.track, source.channel_mix, source.external) == (2, 3, "left", True)


def test_raw_samples_are_described() -> None:
    """Rate, channels and form of what comes on standard input."""
    source = parse_source("-#rate=44100&channels=1&format=f32le")

    assert (source.rate_hz, source.channels, source.sample_format) == (44_100, 1, "f32le")


def test_a_file_may_have_a_mark_in_its_name() -> None:
    """Only what is a setting is taken for one."""
    assert parse_source("take #2.wav").address == "take #2.wav"
    assert (parse_source("evening.mkv#track=2").address, parse_source("evening.mkv#track=2").track) == ("evening.mkv", 2)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("udp://h:1#progam=2", "no setting 'progam'"),
        ("udp://h:1#program=two", "program=two is not possible"),
        ("udp://h:1#program=-1", "program=-1 is not possible"),
        ("udp://h:1#track=0", "count from 1"),
        ("udp://h:1#track=1000", "give a number up to 64"),
        ("http://h/a#channel_mix=centre", "use one of mix, left, right, side"),
        ("-#format=mp3", "use one of s16le"),
        ("http://h/a#listen=1", "listen=1 means nothing with http"),
    ],
)
def test_a_wrong_setting_is_named(url: str, sentence: str) -> None:
    """Trying again would not help."""
    with pytest.raises(CaptureError, match=sentence) as caught:
        parse_source(url)
    assert caught.value.permanent


@pytest.mark.parametrize("url", ["srt://h:1?passphrase=sesame&mode=caller", "rtmp://h/live?token=sesame", "https://u:sesame@h/a"])
def test_no_secret_of_an_address_shows(url: str) -> None:
    """Neither the user's part nor keys of the query."""
    assert "sesame" not in masked(url)
    assert masked(url).endswith(("mode=caller", "=***", "h/a"))


def test_ffmpeg_gets_one_address_and_may_open_nothing_else() -> None:
    """A list of arguments, the protocols fenced in, programme and track by number."""
    command = command_for(parse_source("srt://h:9000?mode=caller;rm#program=7&track=2"))

    assert command[command.index("-i") + 1] == "srt://h:9000?mode=caller;rm"
    assert command[command.index("-protocol_whitelist") + 1] == "srt"
    assert command[command.index("-map") + 1] == "0:p:7:a:1"
    assert command[-1] == "pipe:1"


def test_a_machine_without_ffmpeg_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, not a traceback."""
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(CaptureError, match="install Debian's ffmpeg package"):
        command_for(parse_source("srt://h:9000"))
