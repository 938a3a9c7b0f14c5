"""An upgrade keeps what there is: today's template against that of the last release, and the check against mistakes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.upgrade import REPLACING, released, upgrade_faults

if TYPE_CHECKING:
    from aws_cdk.assertions import Template


def test_an_upgrade_from_the_last_release_replaces_nothing_that_holds_something(production: Template) -> None:
    """Table, queues, bucket, secret and logs stay as they are, and DynamoDB can follow in one update."""
    assert upgrade_faults(released(), production.to_json()) == []


def test_the_release_has_what_there_is_to_lose() -> None:
    """Were it empty, the test above would say nothing."""
    kinds = {resource["Type"] for resource in released()["Resources"].values()}
    assert kinds >= set(REPLACING)


def _renamed(template: Any) -> None:
    resources = template["Resources"]
    resources["Other"] = resources.pop(_id(template, "AWS::DynamoDB::Table"))


def _another_key(template: Any) -> None:
    _table(template)["KeySchema"][0]["AttributeName"] = "other"


def _another_type(template: Any) -> None:
    _table(template)["AttributeDefinitions"][0]["AttributeType"] = "B"


def _another_index_key(template: Any) -> None:
    _table(template)["GlobalSecondaryIndexes"][0]["KeySchema"][0]["AttributeName"] = "other"


def _an_index_for_another(template: Any) -> None:
    _table(template)["GlobalSecondaryIndexes"][0]["IndexName"] = "other"


def _a_named_queue(template: Any) -> None:
    template["Resources"][_id(template, "AWS::SQS::Queue")]["Properties"]["QueueName"] = "steps"


def _another_secret(template: Any) -> None:
    secret = template["Resources"][_id(template, "AWS::SecretsManager::Secret")]
    secret["Properties"]["GenerateSecretString"]["PasswordLength"] = 32


def _a_bucket_that_goes(template: Any) -> None:
    template["Resources"][_id(template, "AWS::S3::Bucket")]["DeletionPolicy"] = "Delete"


def _id(template: Any, kind: str) -> str:
    return next(str(name) for name, resource in template["Resources"].items() if resource["Type"] == kind)


def _table(template: Any) -> Any:
    return template["Resources"][_id(template, "AWS::DynamoDB::Table")]["Properties"]


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (_renamed, "has another logical id"),
        (_another_key, "KeySchema changes, which makes a new one"),
        (_another_type, "changes its type, which makes a new table"),
        (_another_index_key, "changes, which DynamoDB refuses"),
        (_an_index_for_another, "DynamoDB takes one: release them one by one"),
        (_a_named_queue, "QueueName changes"),
        (_another_secret, "GenerateSecretString changes"),
        (_a_bucket_that_goes, "DeletionPolicy was Retain"),
    ],
)
def test_a_mistake_is_told(mistake: Callable[[Any], None], words: str) -> None:
    """One fault for one mistake, naming the resource."""
    template = copy.deepcopy(dict(released()))
    mistake(template)
    (fault,) = upgrade_faults(released(), template)
    assert words in fault


def test_what_may_change_is_no_fault() -> None:
    """One index more, a longer retention, a function that is gone."""
    template: Any = copy.deepcopy(dict(released()))
    index = copy.deepcopy(_table(template)["GlobalSecondaryIndexes"][0])
    _table(template)["GlobalSecondaryIndexes"].append({**index, "IndexName": "other"})
    template["Resources"][_id(template, "AWS::SQS::Queue")]["Properties"]["MessageRetentionPeriod"] = 60
    del template["Resources"][_id(template, "AWS::Lambda::Function")]
    assert upgrade_faults(released(), template) == []
