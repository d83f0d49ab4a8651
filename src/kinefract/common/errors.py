"""The exception for mistakes that a user can correct; it is shown as a message, never as a traceback."""


class UserError(Exception):
    """A mistake outside the code (a file, a setting, a missing tool), described for the user.

    The message names the file or key, the value found, and what to do. The command line prints it after
    ``error:`` and exits with status 1.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
