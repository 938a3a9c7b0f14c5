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
        f"refluxo:api_authorizer is 'open': give it {remedies['api_authorizer']}",
        f"refluxo:max_concurrency is '1': give it {remedies['max_concurrency']}",
        "refluxo:max_concurency is no setting: did you mean refluxo:max_concurrency?",
        "refluxo:zzz is no setting: remove it",
    )
    assert all(fault in str(caught.value) for fault in caught.value.faults)


@pytest.mark.parametrize("name", sorted(StackSettings.model_fields))
def test_every_setting_has_a_remedy_and_refuses_nonsense(name: str) -> None:
    """A list is no value of any of them, and each says what is."""
    with pytest.raises(InvalidSettings, match=f"refluxo:{name} is .*: give it .+"):
        StackSettings.from_context({f"refluxo:{name}": ["nonsense"]})


@pytest.mark.parametrize(
    ("context", "fault"),
    [
        ({"api_authorizer": "jwt", "jwt_audience": "a"}, "refluxo:jwt_issuer is missing"),
        ({"api_authorizer": "jwt", "jwt_issuer": "https://issuer.example.com"}, "refluxo:jwt_audience is missing"),
        ({"jwt_issuer": "https://issuer.example.com"}, "refluxo:jwt_issuer has no effect"),
        ({"tenant_claim": "org"}, "refluxo:tenant_claim has no effect"),
        ({"domain_name": "api.example.com"}, "refluxo:certificate_arn is missing"),
        ({"plugins": "tracer", "tracing": "false"}, "refluxo:plugins has 'tracer'"),
        ({"hosted_zone_id": "Z01"}, "refluxo:hosted_zone_id has no effect"),
        (
            {"certificate_arn": "arn:aws:acm:us-east-1:111122223333:certificate/0"},
            "refluxo:certificate_arn has no effect",
        ),
    ],
)
def test_settings_that_need_each_other_are_told(context: dict[str, object], fault: str) -> None:
    """Before anything is made: one that would do nothing is a misunderstanding."""
    with pytest.raises(InvalidSettings) as caught:
        StackSettings.from_context({f"refluxo:{name}": value for name, value in context.items()})
    assert [text for text in caught.value.faults if text.startswith(fault)]


def test_an_open_api_is_asked_for_in_so_many_words() -> None:
    """``none`` is too easily written: the value itself says what it does."""
    with pytest.raises(InvalidSettings, match="open-to-the-internet"):
        StackSettings.from_context({"refluxo:api_authorizer": "none"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cors_origins", "https://app.example.com/path"),
        ("cors_origins", "*,https://app.example.com"),
        ("http_allowed_networks", "10.1.0.1/16"),
        ("http_allowed_networks", "intranet"),
        ("plugins", "metrics,loggger"),
        ("jwt_audience", "two words"),
        ("certificate_arn", "arn:aws:iam::111122223333:server-certificate/x"),
        ("domain_name", "https://api.example.com"),
        ("alarm_email", "ops"),
        ("stage", "-dev"),
        ("log_retention_days", 31),
        ("dispatcher_timeout_seconds", 41),
        ("alarm_queue_age_seconds", 900),
    ],
)
def test_what_aws_would_refuse_at_the_deployment_is_refused_at_synth(name: str, value: object) -> None:
    """Lists are checked part by part, addresses and ARNs by their form, numbers by their bounds."""
    with pytest.raises(InvalidSettings, match=f"refluxo:{name} is "):
        StackSettings.from_context({f"refluxo:{name}": value})


def test_lists_are_spelled_one_way() -> None:
    """Spaces after commas are for readers."""
    settings = StackSettings(cors_origins="https://a.example.com, https://b.example.com", plugins=" logger , metrics")
    assert settings.cors_origins == "https://a.example.com,https://b.example.com"
    assert settings.plugins == "logger,metrics"


def test_settings_do_not_change() -> None:
    """Frozen: a construct cannot alter what its neighbour sees."""
    with pytest.raises(ValidationError, match="frozen"):
        StackSettings().stage = "prod"  # type: ignore[misc]  # the point of the test
