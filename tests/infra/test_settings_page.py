"""docs/settings.md says what the settings are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date() -> None:
    """Each setting with its default and what it takes, as the code would write it now."""
    command = [sys.executable, str(ROOT / "docs" / "generate_settings.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own script)
    assert result.returncode == 0, result.stderr
