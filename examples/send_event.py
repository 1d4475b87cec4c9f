#!/usr/bin/env python3
"""Sign an event as a device of Cuebird and send it over HTTP, with nothing but Python's standard library.

    send_event.py horn --url https://console.example:8400 --venue eishalle --device button-1 --fixture final --key-file KEY

Each call is a boot of its own, as docs/mqtt.md has it, so nothing is kept between two of them. `--print` writes the
signed message to standard output instead, for `curl --data-binary @-`. Exit code 0: it was taken, now or before; 1: it was
refused, or nobody answered. docs/webhook.md says more.
"""

import argparse
import hashlib
import hmac
import json
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TIMEOUT_S = 3.0


def main() -> int:
    """Send what the command line says; the exit code."""
    options = parsed()
    key = Path(options.key_file).read_bytes().splitlines()[0].strip()
    topic = f"cuebird/v1/{options.venue}/{options.device}/event"
    message = signed(topic, event(options, key, time.time_ns()), key)
    if options.print:
        sys.stdout.buffer.write(message)
        return 0
    url = f"{options.url.rstrip('/')}/api/v1/devices/{options.venue}/{options.device}/event"
    request = urllib.request.Request(url, data=message, headers={"Content-Type": "application/octet-stream"})
    context = ssl.create_default_context(cafile=options.ca_file) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
            print(answer.read().decode())
        return 0
    except urllib.error.HTTPError as error:
        print(error.read().decode(), file=sys.stderr)
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
    return 1


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description="Sign an event as a device of Cuebird and send it.")
    parser.add_argument("type", choices=("horn", "trigger", "goal", "correction"))
    parser.add_argument("--url", default="http://127.0.0.1:8400", help="the console's address")
    parser.add_argument("--ca-file", help="PEM of the authority to trust instead of the system's")
    for name in ("venue", "device", "fixture", "key-file"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--name", default="", help="of a trigger: what happens, as cues call it")
    parser.add_argument("--side", choices=("home", "away"), help="who scored")
    parser.add_argument("--home", type=int, default=0, help="home side's points after it")
    parser.add_argument("--away", type=int, default=0, help="away side's points after it")
    parser.add_argument("--points", type=int, default=1, help="how many points it counts")
    parser.add_argument("--period", default="")
    parser.add_argument("--clock", default="", help="the game clock, mm:ss")
    parser.add_argument("--player", default="", help="who scored")
    parser.add_argument("--print", action="store_true", help="write the signed message, send nothing")
    return parser.parse_args()


def event(options: argparse.Namespace, key: bytes, now_ns: int) -> dict[str, object]:
    """The event that happens now."""
    sign = {"goal": 1, "correction": -1}.get(options.type, 0)
    shown = {"home": options.home, "away": options.away}.get(options.side, 0)
    return {
        "version": 1,
        "id": ulid(now_ns),
        "boot": ulid(now_ns),
        "sequence": 1,
        "venue": options.venue,
        "device": options.device,
        "fixture": options.fixture,
        "type": options.type,
        "side": options.side if sign else None,
        "delta": sign * options.points,
        "home": options.home,
        "away": options.away,
        "ordinal": shown if sign else 0,
        "period": options.period,
        "clock": options.clock,
        "player": options.player,
        "name": options.name,
        "t_event_ns": now_ns,
        "t_pub_ns": now_ns,
        "clock_source": "unknown",
        "clock_error_us": None,
        "confidence": "told",
        "protocol": "webhook",
        "frame_sha256": hashlib.sha256(b"").hexdigest(),
        "key": key_id(key),
    }


def ulid(now_ns: int) -> str:
    """48 bits of milliseconds and 80 random ones."""
    number = now_ns // 1_000_000 << 80 | secrets.randbits(80)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def key_id(key: bytes) -> str:
    """What names the key without telling it."""
    return hashlib.sha256(b"cuebird key id\0" + key).hexdigest()[:16]


def signed(topic: str, body: dict[str, object], key: bytes) -> bytes:
    """The envelope: the signature covers the topic and the bytes as they travel."""
    payload = json.dumps(body, separators=(",", ":")).encode()
    signature = hmac.new(key, topic.encode() + b"\0" + payload, hashlib.sha256).hexdigest()
    return f"cuebird1 {key_id(key)} {signature}\n".encode() + payload


if __name__ == "__main__":
    sys.exit(main())
