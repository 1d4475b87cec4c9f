"""What Home Assistant is told: topics, and templates that read a real state."""

import json
from typing import Any

from jinja2 import Environment

from hardware.home_assistant import discovery
from hardware.keys import DeviceKey
from hardware.messages import StateBody, sign
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid

DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 4)
STATE = DeviceTopic(venue="eishalle", device="oes-1", leaf="state")


def shown(**facts: Any) -> dict[str, str]:
    """What each sensor makes of a state."""
    state = StateBody.model_validate(
        {"version": 1, "boot": new_ulid(1), "venue": "eishalle", "device": "oes-1", "fixture": "final", "t_pub_ns": 1, **facts}
    )
    environment = Environment(autoescape=False)
    environment.filters["from_json"] = json.loads
    _, message = discovery(DEVICE, protocol="oes", prefix="homeassistant")
    value = sign(STATE, state, DEVICE.signing_key).decode()
    return {
        key: environment.from_string(component["value_template"]).render(value=value)
        for key, component in json.loads(message)["components"].items()
    }


def test_its_sensors_read_the_state_as_it_is_published() -> None:
    """Signature line and all."""
    assert shown(state="online", home=2, away=1, clock="11:35", period="3") == {
        "score": "2-1", "home": "2", "away": "1", "clock": "11:35", "period": "3", "online": "online"
    }  # fmt: skip


def test_what_is_not_known_is_shown_as_unknown() -> None:
    """`None` is its word for that; a console that is silent is not online."""
    assert shown(state="console_silent") == {
        "score": "None", "home": "None", "away": "None", "clock": "None", "period": "None", "online": "offline"
    }  # fmt: skip


def test_each_device_is_one_of_its_own_and_goes_when_it_says_nothing() -> None:
    """Retained under a topic that an access list can name; sensors expire."""
    topic, message = discovery(DEVICE, protocol="oes", prefix="house")
    told = json.loads(message)

    assert topic == "house/device/cuebird-eishalle-oes-1/config"
    assert told["state_topic"] == "cuebird/v1/eishalle/oes-1/state"
    assert told["device"]["identifiers"] == ["cuebird-eishalle-oes-1"]
    assert len({component["unique_id"] for component in told["components"].values()}) == 6
    assert {component["expire_after"] for component in told["components"].values()} == {5}
