"""Tests of infra/, which is not installed with the distribution because it never ships.

So the root is put on the path here, and ``infra`` is imported before any test module can import ``aws_cdk``:
it names the Node that jsii is to start.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import infra  # noqa: F401  (for its effect, told above)
