"""Errors about a run that a caller names."""

from __future__ import annotations

from dispatcher.errors import Terminal


class RunNotFound(Terminal):
    """There is no such run."""
