"""The command line: one subcommand per job, in a module for each subject.

Commands import what they need when they run: torch, numba and MLflow take seconds to load, and few need them.
"""

import sys
from collections.abc import Sequence

from kinefract.cli import configuration, data, reports, training  # noqa: F401 (importing one adds its commands)
from kinefract.cli.app import app
from kinefract.common.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: What was typed after ``kinefract``; that of this process if None.

    Returns:
        The exit code: 0; 1 after a mistake that the user can correct; 2 for wrong usage; 130 after Ctrl-C.
    """
    try:
        app(arguments, prog_name="kinefract")
    except SystemExit as end:
        if end.code == 130:
            print("stopped; run the same command again to go on", file=sys.stderr)
        return int(end.code or 0)
    except UserError as error:
        print(f"error: {_message(error)}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    return 1


def _message(error: UserError) -> str:
    """Return what an error says; from a process that reads clips it comes wrapped in that one's traceback."""
    return str(error).rpartition(f"{UserError.__module__}.{UserError.__name__}: ")[2].strip()
