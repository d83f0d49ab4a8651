"""The one exception for mistakes a user can mend: shown as a message, never as a traceback."""


class UserError(Exception):
    """A mistake outside the code (a file, a setting, a missing tool), worded for the person who can mend it.

    The message names the file or key, the value found, and what to do. The command line prints it after
    ``error:`` and exits with status 1.
    """
