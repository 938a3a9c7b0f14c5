"""A registry by its place, ``module:attribute``, as ASGI servers name apps."""

from __future__ import annotations

import importlib

from engine.registry import Registry


def registry_at(path: str) -> Registry:
    """Imports the registry that a path names.

    Raises:
        ValueError: the path names no registry; says which part of it does not hold.
    """
    module_name, colon, attribute = path.partition(":")
    if not (module_name and colon and attribute):
        raise ValueError("it must be module:attribute, as in workflows:registry")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the user's own code lacks is another matter, and told as it is.
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise
        raise ValueError(f"there is no module {error.name!r}") from None
    found = getattr(module, attribute, None)
    if found is None:
        raise ValueError(f"{module_name!r} has no {attribute!r}")
    if not isinstance(found, Registry):
        raise ValueError(f"that is a {type(found).__name__}, not a Registry")  # noqa: TRY004  (a fault of the setting)
    return found
