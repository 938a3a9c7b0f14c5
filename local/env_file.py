"""A ``.env`` file, for what the user's globals provider reads from the environment. Its values are never shown."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

DEFAULT_ENV_FILE: Final = Path(".env")


class EnvFileUnusable(ValueError):
    """The file that was asked for cannot be read; says why."""


def load_env_file(path: Path | None, environ: MutableMapping[str, str]) -> int:
    """Adds a file's variables to the environment, where the environment's own go first. How many were added.

    Args:
        path: the file; None is ``.env`` in the current folder, if there is one.
        environ: the environment.

    Raises:
        EnvFileUnusable: the file that was asked for is not there, or cannot be read.
    """
    from dotenv import dotenv_values  # noqa: PLC0415  (the stack in a test or a demo has no use for it)

    chosen = DEFAULT_ENV_FILE if path is None else path
    if path is None and not chosen.is_file():
        return 0
    try:
        with chosen.open(encoding="utf-8") as file:
            found = dotenv_values(stream=file)
    except OSError as error:
        raise EnvFileUnusable(f"{chosen}: {error.strerror}; give --env-file another file, or none") from None
    except UnicodeDecodeError:
        raise EnvFileUnusable(f"{chosen} is not UTF-8 text; save it as that") from None
    added = {name: value for name, value in found.items() if value is not None and name not in environ}
    environ.update(added)
    return len(added)
