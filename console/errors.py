"""What can go wrong in `console` and is foreseen: `ConsoleError` and its kinds.

ConsoleError
├── ConfigError          console.config
└── ChildFailedError     console.supervisor
"""


class ConsoleError(Exception):
    """Something a person can mend; the message is one sentence naming the thing, the value and the fix."""
