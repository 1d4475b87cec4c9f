"""The command `cuebird`."""


def main() -> None:
    """Run the command line."""
