"""The AWS side: a stack that composes and grants, over constructs that each own one thing.

The one effect at import: jsii starts Node as soon as ``aws_cdk`` is imported, so the Node that came with this
environment is named here, before any module of the package can do that. It comes before a Node on the PATH,
whose age nobody knows; one that the user named in ``JSII_NODE`` wins.
"""

from __future__ import annotations

import os
import shutil
import sysconfig

_NODE = shutil.which("node", path=sysconfig.get_path("scripts"))
if _NODE:
    os.environ.setdefault("JSII_NODE", _NODE)
