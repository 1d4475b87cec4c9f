"""A feed's address taken apart: what is opened, by whom, and which part of it is heard. Pure.

An address may end in settings, `udp://239.1.1.1:5000#program=2&track=1`. They are ours and never reach a server.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from fingerprints.errors import MediaError

Channel = Literal["mix", "left", "right", "side"]
"""Which sound of a stereo source is heard: both mixed (`downmix.py`), one alone, or `side`, half of left less right."""

SampleFormat = Literal["s16le", "s24le", "s32le", "f32le"]
CHANNELS: Final[tuple[str, ...]] = get_args(Channel)
SAMPLE_FORMATS: Final[tuple[str, ...]] = get_args(SampleFormat)


class Transport(enum.StrEnum):
    """How sound arrives, which decides timeouts and what a pause means."""

    FILE = "file"
    STREAM = "stream"
    SEGMENTS = "segments"


class CaptureError(MediaError):
    """A source that cannot be opened or has failed.

    Attributes:
        url: the source, without its password.
        cause: what happened.
        fix: what a person can do.
        permanent: trying again cannot help (no such scheme, no such file).
    """

    def __init__(self, url: str, cause: str, fix: str, *, permanent: bool = False) -> None:
        self.url, self.cause, self.fix, self.permanent = masked(url), cause, fix, permanent
        super().__init__(f"{self.url}: {cause}; {fix}")


_CREDENTIALS: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
_SECRETS: Final = re.compile(r"([?&](?:passphrase|password|token|key|streamid|secret)=)[^&#]*", re.IGNORECASE)


def masked(url: str) -> str:
    """The URL with any user name, password or key replaced by `***`; a file name as it is."""
    if "://" not in url:
        return url
    return _SECRETS.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", url))


STDIN: Final = "-"
_HTTP: Final = "http,https,tcp,tls,httpproxy,crypto"
PROTOCOLS: Final = {
    "file": "file",
    "stdin": "pipe",
    "alsa": "",
    "http": _HTTP,
    "https": _HTTP,
    "udp": "udp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
    "rtsp": "rtsp,tcp,udp,rtp",
    "rtsps": "rtsps,tls,tcp,udp,rtp,srtp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "srt": "srt",
    "rist": "rist",
}
"""What FFmpeg may use for a source of each scheme. A playlist on the network must not open local files."""

_EXTERNAL_SCHEMES: Final = ("srt", "rist")
"""What PyAV's wheel does not carry: the system's ffmpeg opens these, and DASH, and chooses programmes."""
_LISTENING_SCHEMES: Final = ("rtmp", "rtmps", "rtsp")
_NUMBERS: Final = {"program": 65_535, "track": 64, "listen": 1, "rate": 384_000, "channels": 64}
"""Settings that are whole numbers, with their most."""
_SETTINGS: Final = (*_NUMBERS, "channel_mix", "format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An address taken apart.

    Attributes:
        url: as it was given.
        scheme: in lower case; `file` for a file name, `stdin` for `-`.
        address: what is opened: the URL without our settings, a file's name, a sound card's name.
        transport: how sound will arrive, as far as the name tells.
        external: opened through the system's ffmpeg.
        program: number of the programme in a transport stream; None takes the first with sound.
        track: which of its audio tracks, from 1.
        channel_mix: None leaves the choice to the caller.
        listens: we wait to be called (RTMP, RTSP) instead of calling.
        rate_hz, channels, sample_format: of raw samples on standard input.
    """

    url: str
    scheme: str
    address: str
    transport: Transport
    external: bool
    program: int | None
    track: int
    channel_mix: Channel | None
    listens: bool
    rate_hz: int
    channels: int
    sample_format: SampleFormat


def parse_source(url: str) -> Source:
    """Take an address apart.

    Raises:
        CaptureError: the scheme is none that may be opened, or a setting is unknown or impossible.
    """
    address, settings = _split(url)
    scheme = _scheme(address)
    if scheme not in PROTOCOLS:
        known = ", ".join(name for name in PROTOCOLS if name not in ("file", "stdin"))
        fix = f"use a file name, - for raw samples on standard input, or a URL that begins with {known}"
        raise CaptureError(url, f"sources of the kind {scheme!r} are not opened", fix, permanent=True)
    transport = _transport(scheme, address)
    program = settings.get("program")
    listens = settings.get("listen") == "1"
    if listens and scheme not in _LISTENING_SCHEMES:
        raise CaptureError(url, f"listen=1 means nothing with {scheme}", "leave it out", permanent=True)
    return Source(
        url=url,
        scheme=scheme,
        address=address.partition("://")[2] if scheme == "alsa" else address.removeprefix("file://"),
        transport=transport,
        external=scheme in _EXTERNAL_SCHEMES or _is_dash(scheme, address) or program is not None,
        program=None if program is None else int(program),
        track=int(settings.get("track", 1)),
        channel_mix=_choice(url, settings, "channel_mix", CHANNELS),  # type: ignore[arg-type]  # one of them
        listens=listens,
        rate_hz=int(settings.get("rate", 48_000)),
        channels=int(settings.get("channels", 2)),
        sample_format=_choice(url, settings, "format", SAMPLE_FORMATS) or "s16le",  # type: ignore[arg-type]  # one of them
    )


def transport_of(url: str) -> Transport:
    """How a source will arrive, judged by its name alone.

    Raises:
        CaptureError: as `parse_source`.
    """
    return parse_source(url).transport


def _transport(scheme: str, address: str) -> Transport:
    if scheme in ("file", "stdin"):
        return Transport.FILE
    path = re.split("[?#]", address, maxsplit=1)[0]
    return Transport.SEGMENTS if path.endswith((".m3u8", ".m3u", ".mpd")) else Transport.STREAM


def _is_dash(scheme: str, address: str) -> bool:
    return scheme in ("http", "https") and re.split("[?#]", address, maxsplit=1)[0].endswith(".mpd")


def _scheme(address: str) -> str:
    if address == STDIN:
        return "stdin"
    scheme, separator, _ = address.partition("://")
    return scheme.lower() if separator else "file"


def _split(url: str) -> tuple[str, dict[str, str]]:
    """The address and its settings, checked. A file's name may hold a `#` of its own."""
    address, mark, fragment = url.rpartition("#")
    pairs = [part.partition("=") for part in fragment.split("&")]
    if not mark or (_scheme(address) == "file" and any(name not in _SETTINGS for name, _, _ in pairs)):
        return url, {}
    settings = {}
    for name, _, value in pairs:
        if name not in _SETTINGS:
            fix = f"after # may stand {', '.join(_SETTINGS)}, as in #track=2"
            raise CaptureError(url, f"there is no setting {name!r}", fix, permanent=True)
        if name in _NUMBERS and not (value.isascii() and value.isdigit() and len(value) < 7 and int(value) <= _NUMBERS[name]):
            raise CaptureError(url, f"{name}={value} is not possible", f"give a number up to {_NUMBERS[name]}", permanent=True)
        if name in ("track", "rate", "channels") and int(value) == 0:
            raise CaptureError(url, f"{name}=0 is not possible", "count from 1", permanent=True)
        settings[name] = value
    return address, settings


def _choice(url: str, settings: dict[str, str], name: str, known: tuple[str, ...]) -> str | None:
    value = settings.get(name)
    if value is not None and value not in known:
        raise CaptureError(url, f"{name}={value} is not known", f"use one of {', '.join(known)}", permanent=True)
    return value
