"""What an update of the stack would do to the resources that hold something: told from the two templates alone.

CloudFormation replaces a resource when its logical id changes, or a property that cannot be changed in place; the new
one is empty. ``python -m tests.infra.upgrade`` writes the template that later ones are held against: at a release.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from infra.assembly import refluxo_app

RELEASED: Final = Path(__file__).parent / "released_template.json"

REPLACING: Final[Mapping[str, frozenset[str]]] = {
    "AWS::DynamoDB::Table": frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes", "ImportSourceSpecification"}),
    "AWS::SQS::Queue": frozenset({"QueueName", "FifoQueue"}),
    "AWS::S3::Bucket": frozenset({"BucketName"}),
    # Not replaced by the second, but given a new value, which voids every link that was sent out.
    "AWS::SecretsManager::Secret": frozenset({"Name", "GenerateSecretString", "SecretString"}),
    "AWS::Logs::LogGroup": frozenset({"LogGroupName", "LogGroupClass"}),
}
"""Types that hold something, and which of their properties say "Update requires: Replacement" (CloudFormation template
reference). What is not given is CloudFormation's to choose, and stays as it was chosen."""

_KEPT: Final = ("DeletionPolicy", "UpdateReplacePolicy")

_INDEX_CHANGES_MAX: Final = 1
"""Global secondary indexes made or removed in one update of a table (DynamoDB, UpdateTable)."""

Template = Mapping[str, Any]


def upgrade_faults(old: Template, new: Template) -> list[str]:
    """Whatever an update from one template to the other would lose, or could not do."""
    faults: list[str] = []
    for logical_id, before in old["Resources"].items():
        kind = before["Type"]
        if kind not in REPLACING:
            continue
        after = new["Resources"].get(logical_id)
        if after is None or after["Type"] != kind:
            faults.append(f"{logical_id} ({kind}) is gone or has another logical id: what it holds stays behind")
            continue
        faults += [f"{logical_id} ({kind}): {fault}" for fault in _resource_faults(kind, before, after)]
    return faults


def _resource_faults(kind: str, before: Template, after: Template) -> Iterator[str]:
    old, new = before.get("Properties", {}), after.get("Properties", {})
    for name in sorted(REPLACING[kind]):
        if old.get(name) != new.get(name):
            yield f"{name} changes, which makes a new one"
    for policy in _KEPT:
        if before.get(policy) == "Retain" != after.get(policy):
            yield f"{policy} was Retain: it would not outlive a mistake any more"
    if kind == "AWS::DynamoDB::Table":
        yield from _table_faults(old, new)


def _table_faults(old: Template, new: Template) -> Iterator[str]:
    types_before, types_after = _attribute_types(old), _attribute_types(new)
    for name in sorted(types_before.keys() & types_after.keys()):
        if types_before[name] != types_after[name]:
            yield f"the attribute {name} changes its type, which makes a new table"
    before, after = _indexes(old), _indexes(new)
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield f"the index {name} changes, which DynamoDB refuses: add another and remove this one later"
    changes = sorted(before.keys() ^ after.keys())
    if len(changes) > _INDEX_CHANGES_MAX:
        yield f"the indexes {', '.join(changes)} come and go in one update; DynamoDB takes one: release them one by one"


def _attribute_types(table: Template) -> dict[str, str]:
    return {str(a["AttributeName"]): str(a["AttributeType"]) for a in table["AttributeDefinitions"]}


def _indexes(table: Template) -> dict[str, Any]:
    return {
        str(index["IndexName"]): (index["KeySchema"], index["Projection"])
        for index in table.get("GlobalSecondaryIndexes", [])
    }


def released() -> Template:
    """The template of the last release, for production."""
    template: Template = json.loads(RELEASED.read_text(encoding="utf-8"))
    return template


def main() -> int:
    """Writes today's template as the released one."""
    with tempfile.TemporaryDirectory() as folder:
        outdir, package = Path(folder, "cdk.out"), Path(folder, "package")
        package.mkdir()
        (stack,) = refluxo_app(context={"refluxo:stage": "prod"}, outdir=outdir, asset_path=package).synth().stacks
    RELEASED.write_text(json.dumps(stack.template, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
