"""What can keep a benchmark from running.

```
BenchError
└── MissingError  sound or a program that is not installed
```
"""


class BenchError(Exception):
    """Root of every deliberate error of `bench`; `str` is one sentence for people."""


class MissingError(BenchError):
    """Debian packages or programs the benchmark needs are not installed."""
