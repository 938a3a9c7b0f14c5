"""The whole template, held against the one that is committed: a change of it is seen, and meant.

``python -m tests.infra.test_snapshot`` writes it anew, after a change that was meant; its difference is what a reviewer
reads.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.assembly import refluxo_app
from tests.infra.conftest import PATTERN

if TYPE_CHECKING:
    from aws_cdk.assertions import Template

SNAPSHOT: Final = Path(__file__).with_name("template.snapshot.json")

# The package's hash, which changes with every line of the functions' code.
_HASH: Final = re.compile(r"\b[0-9a-f]{64}\b")


def masked(template: object) -> str:
    """A template as it is committed: sorted, with hashes masked, and without the CDK's paths."""
    document: Any = json.loads(_HASH.sub("<hash>", json.dumps(template)))
    for resource in document["Resources"].values():
        resource.get("Metadata", {}).pop("aws:cdk:path", None)
        resource.get("Metadata", {}).pop("aws:asset:path", None)
        if not resource.get("Metadata", True):
            del resource["Metadata"]
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def test_the_template_is_the_one_that_is_committed(template: Template) -> None:
    """Resource by resource, so that a failure names what has changed."""
    found, committed = json.loads(masked(template.to_json())), json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    remedy = "if that is meant, run python -m tests.infra.test_snapshot"
    assert sorted(found["Resources"]) == sorted(committed["Resources"]), remedy
    for name, resource in found["Resources"].items():
        assert resource == committed["Resources"][name], remedy
    assert found == committed, remedy


def test_no_hash_is_left_in_it() -> None:
    """Or each change of the functions' code would have to be committed twice."""
    assert not _HASH.search(SNAPSHOT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        package.mkdir()
        app = refluxo_app(outdir=Path(folder) / "cdk.out", asset_path=package, event_patterns=[PATTERN])
        (stack,) = app.synth().stacks
        SNAPSHOT.write_text(masked(stack.template), encoding="utf-8")
    sys.stdout.write(f"{SNAPSHOT} is written\n")
