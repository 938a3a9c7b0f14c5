"""What the functions are told by their environment, read once and checked whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.limits import RUN_STEPS_MAX_DEFAULT

if TYPE_CHECKING:
    from dispatcher.http_node.address import Network

# As browsers send it (RFC 6454, section 6.1): scheme, host in lower case and port, and nothing behind it.
_ORIGIN: Final = r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"

PLUGIN_NAMES: Final = ("logger", "metrics", "tracer")
"""The plugins that come with the shell (docs/observability.md)."""

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
        plugins: the shell's own plugins that are switched on, of PLUGIN_NAMES.
        cors_origins: origins of the web pages that may call the API, or ``*`` alone; none by default.
        tenant_claim: the claim of a caller's token that names the tenant whose runs alone the caller may see.
        http_allowed_networks: networks that ``core:http`` may call although they are not public; none by default.
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
    plugins: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    tenant_claim: str | None = None
    http_allowed_networks: tuple[Network, ...] = ()

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
            plugins=read.names("REFLUXO_PLUGINS", PLUGIN_NAMES),
            cors_origins=read.origins("CORS_ORIGINS"),
            tenant_claim=read.optional("TENANT_CLAIM"),
            http_allowed_networks=read.networks("HTTP_ALLOWED_NETWORKS"),
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

    def optional(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def origins(self, name: str) -> tuple[str, ...]:
        values = tuple(value.strip() for value in self._environ.get(name, "").split(",") if value.strip())
        if values != ("*",) and not all(re.fullmatch(_ORIGIN, value) for value in values):
            form = "origins with commas between them, as in https://app.example.com,http://localhost:3000, or * alone"
            self.faults.append(f"{name} is {','.join(values)!r}; it must be {form}")
            return ()
        return values

    def names(self, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
        values = [value.strip() for value in self._environ.get(name, "").split(",") if value.strip()]
        unknown = [value for value in values if value not in known]
        if unknown:
            form = f"names with commas between them, of {', '.join(known)}; leave it empty for none"
            self.faults.append(f"{name} has {', '.join(map(repr, unknown))}; it must be {form}")
        # A name given twice means it once.
        return tuple(dict.fromkeys(value for value in values if value in known))

    def networks(self, name: str) -> tuple[Network, ...]:
        value = self._environ.get(name, "").strip()
        if not value:
            return ()
        from dispatcher.http_node.address import networks_of  # noqa: PLC0415  (most functions have none to read)

        try:
            return networks_of(value)
        except ValueError as error:
            self.faults.append(f"{name} is {value!r}; {error}, with commas between several")
            return ()

    def level(self, name: str, default: str) -> str:
        value = self.text(name, default).upper()
        if value not in _LEVELS:
            self.faults.append(f"{name} is {value!r}; it must be one of {', '.join(_LEVELS)}")
        return value
