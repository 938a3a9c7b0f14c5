"""What the functions are told by their environment, read once and checked whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.limits import RUN_STEPS_MAX_DEFAULT

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class InvalidSettings(ValueError):
    """The environment is not one the functions can run in; names every variable at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment of a function.

    Args:
        table_name: the table.
        queue_url: the queue of steps.
        parked_queue_url: where messages nobody can act on go.
        payload_bucket: the bucket of values that no item of the table can hold.
        public_url: the API's address as callers see it; webhook URLs begin with it.
        registry: ``module:attribute`` of the user's Registry, as ASGI apps are named.
        webhook_secret_id: the secret, in Secrets Manager, that signs webhook tokens.
        steps_per_invocation: steps executed per message at most.
        run_steps_max: transitions after which a run is failed.
        retention_days: how long a finished run is kept; None is for ever.
        log_level: as in ``logging``.
    """

    table_name: str
    queue_url: str
    parked_queue_url: str
    payload_bucket: str
    public_url: str
    registry: str = "workflows:registry"
    webhook_secret_id: str
    steps_per_invocation: int = 1
    run_steps_max: int = RUN_STEPS_MAX_DEFAULT
    retention_days: int | None = None
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Reads the environment.

        Raises:
            InvalidSettings: with every variable that is missing or wrong, and what it must be.
        """
        read = _Reader(environ)
        settings = cls(
            table_name=read.text("TABLE_NAME"),
            queue_url=read.text("QUEUE_URL"),
            parked_queue_url=read.text("PARKED_QUEUE_URL"),
            payload_bucket=read.text("PAYLOAD_BUCKET"),
            public_url=read.text("PUBLIC_URL"),
            registry=read.import_path("REFLUXO_REGISTRY", default="workflows:registry"),
            webhook_secret_id=read.text("WEBHOOK_SECRET_ID"),
            steps_per_invocation=read.count("STEPS_PER_INVOCATION", default=1),
            run_steps_max=read.count("RUN_STEPS_MAX", default=RUN_STEPS_MAX_DEFAULT),
            retention_days=read.count("RETENTION_DAYS", default=0, least=0) or None,
            log_level=read.level("LOG_LEVEL", default="INFO"),
        )
        if read.faults:
            raise InvalidSettings("the environment cannot be used:\n" + "\n".join(f"  {f}" for f in read.faults))
        return settings


class _Reader:
    """Reads variables one by one and remembers what was wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        value = self._environ.get(name, "").strip() or default
        if not value:
            self.faults.append(f"{name} is missing; the stack sets it")
        return value

    def count(self, name: str, default: int, *, least: int = 1) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or int(value) < least:
            self.faults.append(f"{name} is {value!r}; it must be a whole number of {least} or more")
            return default
        return int(value)

    def import_path(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not all(value.partition(":")):
            self.faults.append(f"{name} is {value!r}; it must be module:attribute, as in workflows:registry")
        return value

    def level(self, name: str, default: str) -> str:
        value = self.text(name, default).upper()
        if value not in _LEVELS:
            self.faults.append(f"{name} is {value!r}; it must be one of {', '.join(_LEVELS)}")
        return value
