"""The command line: one subcommand per job, in a module for each subject.

Commands import what they need when they run: torch, numba and MLflow take seconds to load, and few need them.
"""

import sys
from collections.abc import Sequence

from kinefract.cli import (  # noqa: F401 (importing one adds its commands)
    configuration,
    data,
    exchange,
    project,
    reports,
    training,
)
from kinefract.cli.app import app
from kinefract.cli.failure import report
from kinefract.common.terminal import safe_output

STOPPED = 130  # the exit code after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: What was typed after ``kinefract``; that of this process if None.

    Returns:
        The exit code: 0; 1 after an error; 2 for wrong usage; 130 after Ctrl-C; 141 if nobody reads the
        output any more.
    """
    code = 1
    try:
        with safe_output():
            try:
                app(arguments, prog_name="kinefract")
            except SystemExit as end:
                code = int(end.code or 0)
            except KeyboardInterrupt:
                code = STOPPED
            except Exception as error:
                report(error)
            if code == STOPPED:
                print("stopped; run the same command again to go on", file=sys.stderr)
    except SystemExit as end:
        code = int(end.code or 0)
    return code
