"""What a report says of where it was measured, so that two of them can be held side by side."""

import os
import platform
import subprocess
from pathlib import Path


def commit_name() -> str:
    """The commit of this code, with `-dirty` where files have been changed since."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "an unknown version"


def machine_name() -> str:
    """Processor, cores, kernel and Python."""
    kernel = f"{platform.system()} {platform.release()}"
    return f"{_processor_name()}, {os.cpu_count()} cores, {kernel}, Python {platform.python_version()}"


def load_average() -> str:
    """How much wanted to run over the last 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def _processor_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
