"""Home Assistant's discovery of a gateway: one retained message after which its sensors are there. Pure.

The sensors read the device's state as it is published for the engine; Home Assistant does not check its signature. A sensor
that hears nothing for `EXPIRES_S` is shown as unavailable, not with its last value.

Source:
    https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import json

from hardware.keys import DeviceKey
from hardware.topics import DeviceTopic

EXPIRES_S = 5
_STATE = "{% set state = value.split('\\n', 1)[1] | from_json %}"
"""After the line with the signature comes the state as JSON."""

_SENSORS = {
    "score": ("Score", "{{ '%s-%s' % (state.home, state.away) if state.home is not none else none }}"),
    "home": ("Home", "{{ state.home }}"),
    "away": ("Away", "{{ state.away }}"),
    "clock": ("Clock", "{{ state.clock or none }}"),
    "period": ("Period", "{{ state.period or none }}"),
}


def discovery(identity: DeviceKey, *, protocol: str, prefix: str) -> tuple[str, bytes]:
    """The topic and the message that tell Home Assistant of a device.

    Args:
        prefix: of the topic, as set in Home Assistant; `homeassistant` unless changed there.
    """
    name = f"cuebird-{identity.venue}-{identity.device}"
    online = {
        "platform": "binary_sensor",
        "name": "Online",
        "device_class": "connectivity",
        "payload_on": "online",
        "payload_off": "offline",
        "value_template": _STATE + "{{ 'online' if state.state == 'online' else 'offline' }}",
    }
    sensors = {
        key: {"platform": "sensor", "name": shown, "value_template": _STATE + template}
        for key, (shown, template) in _SENSORS.items()
    }
    components = {
        key: {**component, "unique_id": f"{name}-{key}", "expire_after": EXPIRES_S}
        for key, component in {**sensors, "online": online}.items()
    }
    message = {
        "device": {
            "identifiers": [name],
            "name": f"{identity.venue} {identity.device}",
            "manufacturer": "Cuebird",
            "model": f"scoreboard gateway, {protocol}",
        },
        "origin": {"name": "Cuebird"},
        "components": components,
        "state_topic": str(DeviceTopic(venue=identity.venue, device=identity.device, leaf="state")),
        "qos": 0,
    }
    return f"{prefix}/device/{name}/config", json.dumps(message, ensure_ascii=False).encode()
