"""The web console: a process of its own that shows the engine and passes commands to it."""

from console.web.app import create_app
from console.web.serve import run_console

__all__ = ["create_app", "run_console"]
