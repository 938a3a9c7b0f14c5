"""What building the package can fail with."""

from __future__ import annotations


class PackageError(Exception):
    """The package cannot be built or is not there; the message says what to do."""
