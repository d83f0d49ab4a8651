"""Registries that other packages may extend: families, kinds of benchmarks, backbones and objectives.

A module adds its class with the decorator ``register``. Modules of kinefract are found in the registry's
package; those of other packages are named by an entry point of the registry's group.
"""

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, TypeVar, get_args

from pydantic import BeforeValidator, ValidationError

from kinefract.common.errors import UserError
from kinefract.common.problems import in_one_line
from kinefract.common.schema import Section, not_one_of, short

T = TypeVar("T")  # what is registered
C = TypeVar("C", bound=type)
S = TypeVar("S", bound=Section)


class Registry(dict[str, type[T]]):
    """Classes by name, in the order in which they were registered.

    The name is the class's attribute ``NAME``.
    """

    def __init__(self, group: str) -> None:
        """Create an empty registry.

        Args:
            group: The group of entry points under which other packages name their modules.
        """
        super().__init__()
        self.group = group

    def register(self, registered: C) -> C:
        """Add a class under its name and return it, so that this serves as a decorator.

        Raises:
            UserError: Another class has the name.
        """
        name = self.name_of(registered)
        found = self.get(name)
        if found is not None and _place(found) != _place(registered):
            raise UserError(
                f"{self.group}: {name!r} is registered by {_place(found)} and by {_place(registered)}; "
                "rename one of them, or uninstall its package"
            )
        self[name] = registered
        return registered

    def name_of(self, registered: type) -> str:
        """Return the name under which a class is registered."""
        return registered.NAME  # type: ignore[attr-defined]

    def fill(self, package: str) -> None:
        """Import all modules of a package, then those that other installed packages name.

        Raises:
            UserError: A module that another package names cannot be imported.
        """
        for module in iter_modules(import_module(package).__path__):
            import_module(f"{package}.{module.name}")
        for point in entry_points(group=self.group):
            try:
                point.load()
            except Exception as error:
                raise UserError(
                    f"the plug-in {point.name} = {point.value} ({self.group}) cannot be used: {error}"
                ) from error


class RecipeRegistry(Registry[S]):
    """Recipe classes by the value of the key that tells them apart (``family``, ``kind``).

    A class declares the key as a one-value ``Literal``, which is its name.
    """

    def __init__(self, key: str, group: str) -> None:
        """Make an empty registry.

        Args:
            key: The key of a recipe that holds its class's name.
            group: The group of entry points under which other packages name their modules.
        """
        super().__init__(group)
        self.key = key

    def name_of(self, registered: type) -> str:
        (name,) = get_args(registered.model_fields[self.key].annotation)  # type: ignore[attr-defined]
        return name

    def parse(self, value: Any) -> S:
        """Return the recipe that a mapping from YAML describes.

        Raises:
            ValueError: ``value`` is not a mapping, or names no known recipe.
            pydantic.ValidationError: (a ValueError) The recipe does not accept its settings.
        """
        if isinstance(value, Section):
            return value  # type: ignore[return-value]
        if not isinstance(value, dict):
            raise ValueError(f"not a mapping of settings: {short(value)}")
        name = value.get(self.key)
        if not isinstance(name, str) or name not in self:
            raise ValueError(f"{self.key}: {not_one_of(name, self)}")
        return self[name].model_validate(value)

    def validator(self) -> BeforeValidator:
        """Return the pydantic validator for a field that holds one of these recipes."""

        def validate(value: Any) -> S:
            try:
                return self.parse(value)
            except ValidationError as error:
                raise ValueError(in_one_line(error)) from error

        return BeforeValidator(validate)


def _place(registered: type) -> str:
    return f"{registered.__module__}.{registered.__qualname__}"
