"""The routes about workflows as data: which there are, how each reads, how one is put, and what nodes it may have."""

from __future__ import annotations

from functools import cached_property

from dispatcher.catalog import Catalog
from dispatcher.http.conditions import etag, matches, unless_known
from dispatcher.http.problems import RequestFault
from dispatcher.http.request import Request, Response, response_of, with_header
from dispatcher.http.tenancy import operators_only
from engine import WorkflowDefinition
from engine.errors import Fault, InvalidDefinition
from engine.json_value import JsonObject, JsonValue
from engine.naming import valid_name


class DefinitionRoutes:
    """Answers editors."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def all(self, _request: Request) -> Response:
        """Every workflow that a run can be started of, by name."""
        workflows: list[JsonValue] = [
            {"name": known.name, "version": known.version, "description": known.description, "source": known.source}
            for known in self._catalog.listed()
        ]
        return response_of(200, {"workflows": workflows})

    def show(self, request: Request) -> Response:
        """The definition that new runs begin with, or any version that was ever used."""
        name, version = request.parameters["name"], request.query.get("version") or None
        if version is None:
            definition = self._catalog.newest(name)
        elif valid_name(version):
            definition = self._catalog.version(name, version)
        else:
            fault = Fault(
                "query.version", f"{version!r} is not valid; it must be a version as a run or a list tells it"
            )
            raise RequestFault(400, "the query cannot be read", [fault])
        answer = response_of(200, {**definition.to_json(), "version": definition.version})
        return unless_known(answer, etag(definition.version), request.headers)

    def put(self, request: Request) -> Response:
        """Makes a definition the one that new runs of its name begin with; runs under way keep theirs."""
        operators_only(request, "to put a definition")
        name = request.parameters["name"]
        definition = self._definition_in(request, name)
        before = self._catalog.put(definition, may_replace=lambda now: _is_allowed(request, now, definition.version))
        document: JsonObject = {
            "name": name,
            "version": definition.version,
            "changed": before != definition.version,
            "warnings": [
                {"path": fault.path, "message": fault.message} for fault in self._catalog.warnings(definition)
            ],
        }
        answer = with_header(response_of(201 if before is None else 200, document), "etag", etag(definition.version))
        return with_header(answer, "location", f"/workflows/{name}") if before is None else answer

    def _definition_in(self, request: Request, name: str) -> WorkflowDefinition:
        """The definition in a body, which need not repeat its name. The version that a GET tells may stand in it."""
        document = request.json()
        if not isinstance(document, dict):
            return self._catalog.parse(document)
        if document.get("name", name) != name:
            said = Fault("$.name", f"{document['name']!r} is not the name in the path, {name!r}; leave it out")
            raise InvalidDefinition(name, (said,))
        return self._catalog.parse({key: value for key, value in document.items() if key != "version"} | {"name": name})

    def node_types(self, _request: Request) -> Response:
        """Every node type with its schemas and handles."""
        return response_of(200, {"nodeTypes": self._node_types})

    @cached_property
    def _node_types(self) -> list[JsonValue]:
        # Pydantic takes its time over the schemas, and the registry does not change.
        return self._catalog.node_types()


def _is_allowed(request: Request, now: str | None, wanted: str) -> bool:
    """Whether the conditions of a request hold for the version there is now."""
    if_match, if_none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if if_none_match is not None and matches(if_none_match, now):
        return False
    # What is there already has been put by this request's first try (RFC 9110, section 13.1.1).
    return if_match is None or matches(if_match, now) or now == wanted
