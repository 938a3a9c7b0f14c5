"""The server that the demo starts: the same answers each time, two of them 503."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from local.demo_server import DemoServer


def _asked(url: str) -> tuple[int, Any, str | None]:
    """Status, body, and how long to wait before asking again."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (our own server)
            return answer.status, json.load(answer), None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers["retry-after"]


def test_orders_are_given_at_the_third_request_of_each_customer() -> None:
    """Before that the service is down, and says for how long."""
    with DemoServer() as server:
        for customer, orders in (("C-1042", 3), ("C-2077", 1)):
            url = f"{server.url}/orders?customer={customer}"
            refused = [_asked(url) for _ in range(2)]
            assert [(status, seconds) for status, _, seconds in refused] == [(503, "1"), (503, "1")]
            status, body, _ = _asked(url)
            assert (status, len(body["orders"])) == (200, orders)


def test_a_customers_currency_has_a_rate() -> None:
    """So the three services fit together."""
    with DemoServer() as server:
        for customer in ("C-1042", "C-2077"):
            currency = _asked(f"{server.url}/customers/{customer}")[1]["currency"]
            assert _asked(f"{server.url}/rates/{currency}")[1]["rate"] > 1


def test_what_nobody_knows_is_not_found() -> None:
    """A customer, a currency, orders without a customer, and any other path."""
    with DemoServer() as server:
        for path in ("/customers/C-1", "/rates/XXX", "/orders", "/orders?customer=C-1", "/", "/customers"):
            assert _asked(server.url + path)[0] == 404, path
