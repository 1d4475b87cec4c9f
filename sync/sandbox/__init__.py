"""A local stand-in for X, for the demonstration and the tests: it speaks TLS, checks signatures and can fail on order."""

from sync.sandbox.authority import SandboxError
from sync.sandbox.faults import Fault, FaultKind
from sync.sandbox.server import Sandbox
from sync.sandbox.world import RequestRecord, SandboxSettings, SandboxTweet

__all__ = ["Fault", "FaultKind", "RequestRecord", "Sandbox", "SandboxError", "SandboxSettings", "SandboxTweet"]
