"""What the console refuses, as sentences for people."""


class ConsoleError(Exception):
    """Root of the console's errors; the command line prints it and stops.

    - `ConsoleError`
        - `console.users.UserError`: an account of a person that cannot be made, found or read
    """
