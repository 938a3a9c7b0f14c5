"""Whose runs a caller may see: with a tenant's claim set, the bearer of a token is held to one tenant's.

A run of another tenant's is not told apart from one that never was. Who signs with AWS credentials is an operator
and may see all; who has neither is turned away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dispatcher.errors import RunNotFound
from dispatcher.head import Head
from dispatcher.http.problems import RequestFault
from dispatcher.http.request import Request
from engine.naming import valid_name


class Tenancy:
    """The rule. ``claim``: the claim that names the tenant; None: there are no tenants to tell apart."""

    def __init__(self, claim: str | None, show: Callable[[str], Head]) -> None:
        self._claim = claim
        self._show = show

    def admitted(self, request: Request) -> Request:
        """The request with its caller's tenant.

        Raises:
            RequestFault: 403, the caller is of no tenant.
        """
        if self._claim is None or request.identity.signed:
            return request
        tenant = (request.identity.claims or {}).get(self._claim)
        if not (isinstance(tenant, str) and valid_name(tenant)):
            detail = (
                f"the token names no tenant: its claim {self._claim!r} must be one, "
                "1 to 128 letters, digits or _.:@- that begin with a letter, a digit or _"
            )
            raise RequestFault(403, detail)
        return replace(request, tenant=tenant)

    def check_run(self, request: Request) -> None:
        """Passes unless the path names a run that is not the caller's.

        Raises:
            RunNotFound: it is of another tenant, or there is none.
        """
        workflow_id = request.parameters.get("id")
        if request.tenant is None or workflow_id is None:
            return
        if self._show(workflow_id).snapshot.tenant != request.tenant:
            # The same words as for a run that is not there.
            raise RunNotFound(f"there is no run {workflow_id!r}")


def operators_only(request: Request, what: str) -> None:
    """Passes unless the caller is held to a tenant.

    Raises:
        RequestFault: 403, with what it is that only operators may do.
    """
    if request.tenant is not None:
        raise RequestFault(403, f"{what} is for operators: definitions are shared by all tenants")
