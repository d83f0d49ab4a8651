"""Packages that an extra of kinefract installs, imported where they are needed."""

from importlib import import_module
from typing import Any

from kinefract.common.errors import UserError


def needed(module: str, extra: str) -> Any:
    """Import and return a module of a package that not every installation has.

    Args:
        module: Its name.
        extra: The extra of kinefract that installs it.

    Raises:
        UserError: the module, or one that it imports, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(
            f"{error.name or module} is not installed; pip install 'kinefract[{extra}]' installs it"
        ) from error
