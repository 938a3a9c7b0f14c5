"""The environment of the functions: read whole, every fault told at once."""

from __future__ import annotations

import pytest

from dispatcher.bootstrap import load_registry
from dispatcher.limits import RUN_STEPS_MAX_DEFAULT
from dispatcher.settings import InvalidSettings, Settings
from workflows import registry

WELL = {
    "TABLE_NAME": "table",
    "QUEUE_URL": "https://queue.test",
    "PARKED_QUEUE_URL": "https://parked.test",
    "PAYLOAD_BUCKET": "payloads",
    "PUBLIC_URL": "https://api.test",
    "WEBHOOK_SECRET_ID": "secret",
}


def test_what_must_be_there_is_enough() -> None:
    """All else has a default."""
    settings = Settings.from_env(WELL)
    assert (settings.table_name, settings.payload_bucket) == ("table", "payloads")
    assert settings.registry == "workflows:registry"
    assert settings.steps_per_invocation == 1
    assert settings.run_steps_max == RUN_STEPS_MAX_DEFAULT
    assert settings.retention_days is None
    assert settings.log_level == "INFO"
    assert settings.cors_origins == ()
    assert settings.tenant_claim is None


def test_what_is_there_is_taken() -> None:
    """Blanks around a value do not count, nor does the case of a level."""
    extra = {
        "STEPS_PER_INVOCATION": " 3 ",
        "RUN_STEPS_MAX": "50",
        "RETENTION_DAYS": "30",
        "LOG_LEVEL": "debug",
        "REFLUXO_REGISTRY": "a.b:c",
    }
    settings = Settings.from_env({**WELL, **extra, "PATH": "/bin"})
    assert settings.steps_per_invocation == 3
    assert settings.run_steps_max == 50
    assert settings.retention_days == 30
    assert settings.log_level == "DEBUG"
    assert settings.registry == "a.b:c"


def test_an_empty_environment_names_everything_that_is_missing() -> None:
    """All at once, so that it is mended at once."""
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({})
    assert [name for name in WELL if f"{name} is missing" not in str(caught.value)] == []


def test_all_faults_are_told_at_once() -> None:
    """Each by its name, with what it is and what it must be."""
    wrong = {
        "TABLE_NAME": "  ",
        "STEPS_PER_INVOCATION": "many",
        "RUN_STEPS_MAX": "0",
        "RETENTION_DAYS": "a week",
        "LOG_LEVEL": "LOUD",
        "REFLUXO_REGISTRY": "workflows",
    }
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({**WELL, **wrong})
    text = str(caught.value)
    assert len(text.splitlines()) == 1 + len(wrong)
    for fault in (
        "TABLE_NAME is missing",
        "STEPS_PER_INVOCATION is 'many'",
        "RUN_STEPS_MAX is '0'",
        "RETENTION_DAYS is 'a week'; it must be a whole number of 0 or more",
        "LOG_LEVEL is 'LOUD'",
        "REFLUXO_REGISTRY is 'workflows'; it must be module:attribute",
    ):
        assert fault in text


@pytest.mark.parametrize("value", ["-1", "0", "1.5", "1e3", "²", "", " "])
def test_a_count_is_a_whole_number_of_one_or_more(value: str) -> None:
    """Whatever Python would take for a digit; nothing at all is the default."""
    environment = {**WELL, "STEPS_PER_INVOCATION": value}
    if not value.strip():
        assert Settings.from_env(environment).steps_per_invocation == 1
        return
    with pytest.raises(InvalidSettings, match="STEPS_PER_INVOCATION"):
        Settings.from_env(environment)


@pytest.mark.parametrize(("value", "days"), [("", None), ("0", None), ("1", 1), ("3650", 3650)])
def test_runs_are_kept_for_ever_unless_told_otherwise(value: str, days: int | None) -> None:
    """Nothing and 0 mean the same: no run is ever removed."""
    assert Settings.from_env({**WELL, "RETENTION_DAYS": value}).retention_days == days


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("*", ("*",)),
        ("https://app.example.com", ("https://app.example.com",)),
        (" https://a.test, http://localhost:3000 ", ("https://a.test", "http://localhost:3000")),
        ("http://[::1]:8080,app://refluxo", ("http://[::1]:8080", "app://refluxo")),
    ],
)
def test_origins_are_a_list_or_a_star(value: str, origins: tuple[str, ...]) -> None:
    """None unless they are named."""
    assert Settings.from_env({**WELL, "CORS_ORIGINS": value}).cors_origins == origins


@pytest.mark.parametrize(
    "value",
    [
        "app.example.com",
        "https://app.example.com/",
        "https://App.example.com",
        "https://*.example.com",
        "*,https://a.test",
    ],
)
def test_what_no_browser_sends_is_no_origin(value: str) -> None:
    """A slash at the end would keep out the very page that was meant, and say nothing."""
    with pytest.raises(InvalidSettings, match="CORS_ORIGINS"):
        Settings.from_env({**WELL, "CORS_ORIGINS": value})


def test_the_claim_of_a_tenant_is_a_name() -> None:
    """Of whatever form the issuer of tokens gives it."""
    assert Settings.from_env({**WELL, "TENANT_CLAIM": " custom:tenant "}).tenant_claim == "custom:tenant"


def test_a_registry_is_found_by_its_name() -> None:
    """As ASGI apps are."""
    assert load_registry("workflows:registry") is registry


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.such.module:registry", "there is no module"),
        ("workflows.nowhere:registry", "there is no module 'workflows.nowhere'"),
        ("workflows:nothing", "has no 'nothing'"),
        ("workflows:Path", "not a Registry"),
    ],
)
def test_a_registry_that_cannot_be_used_is_named(path: str, said: str) -> None:
    """With what was found in its place."""
    with pytest.raises(InvalidSettings, match=said):
        load_registry(path)
