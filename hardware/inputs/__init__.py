"""Sources of single events: buttons, contacts, show control. Each event has a name and an instant, and no score.

OSC, GPIO ─► InputListener ─► Told ─► gateway ─► MQTT, signed
"""

from hardware.inputs.told import HORN, InputListener, Told

__all__ = ["HORN", "InputListener", "Told"]
