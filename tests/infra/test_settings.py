"""The stack's settings: defaults, bounds, and how faults are told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from infra.assembly import cdk_context
from infra.settings import InvalidSettings, StackSettings


def test_nothing_needs_to_be_set() -> None:
    """A first deployment works with no context at all, and is closed."""
    settings = StackSettings.from_context({})
    assert settings.stage == "dev"
    assert settings.api_authorizer == "iam"
    assert not settings.is_production


def test_the_context_pinned_in_cdk_json_is_valid() -> None:
    """The file that ships is one that synthesizes, and it pins the CDK's own behaviour."""
    context = cdk_context()
    assert StackSettings.from_context(context) == StackSettings()
    assert context["@aws-cdk/aws-iam:minimizePolicies"] is True


def test_values_from_the_command_line_are_text() -> None:
    """``-c refluxo:max_concurrency=7`` gives "7", cdk.json gives 7: both are the number."""
    for value in ("7", 7):
        assert StackSettings.from_context({"refluxo:max_concurrency": value}).max_concurrency == 7
    for value in ("14", 14):
        assert StackSettings.from_context({"refluxo:log_retention_days": value}).log_retention_days == 14


def test_keys_of_others_are_not_ours_to_judge() -> None:
    """The context is full of the CDK's feature flags."""
    assert StackSettings.from_context({"@aws-cdk/core:x": True, "stage": "prod"}).stage == "dev"


def test_all_faults_are_told_at_once_with_key_and_remedy() -> None:
    """Not the first only: each names its key, what was given, and what to give."""
    with pytest.raises(InvalidSettings) as caught:
        StackSettings.from_context(
            {
                "refluxo:stage": "Prod!",
                "refluxo:max_concurrency": "1",
                "refluxo:api_authorizer": "open",
                "refluxo:max_concurency": 5,
                "refluxo:zzz": 5,
            }
        )
    remedies = {name: field.description for name, field in StackSettings.model_fields.items()}
    assert caught.value.faults == (
        f"refluxo:stage is 'Prod!': give it {remedies['stage']}",
        "refluxo:max_concurrency is '1': give it a whole number from 2 to 1000, Lambda's bounds for an SQS source",
        "refluxo:api_authorizer is 'open': give it 'iam', or 'none' to let anyone on the internet start and read runs",
        "refluxo:max_concurency is no setting: did you mean refluxo:max_concurrency?",
        "refluxo:zzz is no setting: remove it",
    )
    assert all(fault in str(caught.value) for fault in caught.value.faults)


@pytest.mark.parametrize("name", sorted(StackSettings.model_fields))
def test_every_setting_has_a_remedy_and_refuses_nonsense(name: str) -> None:
    """A list is no value of any of them, and each says what is."""
    with pytest.raises(InvalidSettings, match=f"refluxo:{name} is .*: give it .+"):
        StackSettings.from_context({f"refluxo:{name}": ["nonsense"]})


def test_settings_do_not_change() -> None:
    """Frozen: a construct cannot alter what its neighbour sees."""
    with pytest.raises(ValidationError, match="frozen"):
        StackSettings().stage = "prod"  # type: ignore[misc]  # the point of the test
