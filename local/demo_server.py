"""The services that the api-aggregation example asks: a shop's customers and orders, and a bank's rates.

Small, in memory, and the same each time: the orders of each customer are answered by 503 twice before they are given,
so that a retry can be seen. ``python -m local.demo_server`` serves them until Ctrl-C.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final, Self

from local.front import Front

OUTAGES: Final = 2
"""How many requests for a customer's orders find the service down."""

RETRY_AFTER_SECONDS: Final = 1
"""How long that service then asks to be left alone."""

DEFAULT_PORT: Final = 8090

_CUSTOMERS: Final[Mapping[str, Mapping[str, object]]] = {
    "C-1042": {"id": "C-1042", "name": "Livraria Aurora", "country": "BR", "currency": "BRL"},
    "C-2077": {"id": "C-2077", "name": "Nordlys Kaffe", "country": "NO", "currency": "NOK"},
}
_ORDERS: Final[Mapping[str, tuple[Mapping[str, object], ...]]] = {
    "C-1042": ({"id": "A-1001", "cents": 6580}, {"id": "A-1003", "cents": 15620}, {"id": "A-1006", "cents": 12800}),
    "C-2077": ({"id": "A-1007", "cents": 8560},),
}
_RATES: Final[Mapping[str, float]] = {"BRL": 6.21, "NOK": 11.74}
"""What one euro came to."""


class DemoServer:
    """Serves them on the loopback interface while the ``with`` block lasts.

    Args:
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, *, port: int = 0) -> None:
        self._front = Front(self._answer, port=port)
        self._asked: Counter[str] = Counter()
        self._counting = threading.Lock()

    @property
    def url(self) -> str:
        """Its address."""
        return self._front.url

    def __enter__(self) -> Self:
        self._front.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._front.__exit__(*exception)

    def _answer(self, event: Mapping[str, object]) -> Mapping[str, object]:
        _, _, path = str(event["rawPath"]).partition("/")
        service, _, name = path.partition("/")
        query = event.get("queryStringParameters")
        match service:
            case "customers" if name in _CUSTOMERS:
                return _answered(200, _CUSTOMERS[name])
            case "orders" if isinstance(query, Mapping) and query.get("customer") in _ORDERS:
                return self._orders_of(str(query["customer"]))
            case "rates" if name in _RATES:
                return _answered(200, {"currency": name, "rate": _RATES[name]})
            case _:
                return _answered(404, {"message": f"there is no /{path}"})

    def _orders_of(self, customer: str) -> Mapping[str, object]:
        with self._counting:
            self._asked[customer] += 1
            asked = self._asked[customer]
        if asked <= OUTAGES:
            return _answered(503, {"message": "the orders are being moved"}, {"retry-after": str(RETRY_AFTER_SECONDS)})
        return _answered(200, {"customer": customer, "orders": _ORDERS[customer]})


def _answered(status: int, document: object, headers: Mapping[str, str] | None = None) -> Mapping[str, object]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": json.dumps(document),
    }


def main() -> None:
    """Serves until Ctrl-C."""
    with DemoServer(port=DEFAULT_PORT) as server:
        sys.stdout.write(f"customers, orders and rates at {server.url}; Ctrl-C ends it\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
