"""An error of the user's own code, told by its place there: what lies between it and us helps nobody."""

from __future__ import annotations

import traceback
from pathlib import Path

from engine.errors import InvalidDefinition


def told(error: Exception, folder: Path) -> str:
    """The error, after the last line within a folder that it came through; a faulty definition tells its own place."""
    if isinstance(error, InvalidDefinition):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    place = "".join(traceback.format_list(own[-1:]))
    return f"{place}{''.join(traceback.format_exception_only(error))}".rstrip()
