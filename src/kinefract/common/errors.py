"""The exception for mistakes that a user can correct; it is shown as a message, never as a traceback."""


class UserError(Exception):
    """A mistake outside the code (a file, a setting, a missing tool), described for the user.

    The message names the file or key, the value found, and what to do. The command line prints it after
    ``error:`` and exits with status 1.
    """
