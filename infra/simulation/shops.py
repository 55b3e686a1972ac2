"""Merchants' software: it asks, repeats with the same key what got no answer, and remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.simulation.edge import Edge, Response, UnreachableError
from infra.simulation.endpoints import Endpoint
from infra.simulation.kernel import Kernel

RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 60, 60, 60)
_LATER = frozenset({429, 500, 502, 503, 504})


class GaveUpError(Exception):
    """The API did not answer for as long as this client repeats."""


@dataclass
class Accepted:
    """What the API has answered 202 to: from then on it may not be lost."""

    payment_id: str
    shop: Shop
    key: str
    sent: Mapping[str, Any]
    at: float


@dataclass
class AcceptedRefund:
    """A refund that was answered 202."""

    refund_id: str
    payment_id: str
    shop: Shop
    at: float


@dataclass
class Shop:
    """One merchant's client."""

    merchant_id: str
    api_key: str
    webhook_secret: str
    endpoint: Endpoint
    kernel: Kernel = field(repr=False)
    edge: Edge = field(repr=False)
    payments: list[Accepted] = field(default_factory=list)
    refunds: list[AcceptedRefund] = field(default_factory=list)
    refused: list[tuple[str, str, Response]] = field(default_factory=list)
    seen: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    """Each history that a read has told, by payment."""
    complaints: list[str] = field(default_factory=list)
    """What no answer should have said."""

    @property
    def webhook_url(self) -> str:
        """Where this merchant wants to be told."""
        return f"http://{self.endpoint.address}/hooks"

    def pay(self, key: str, **fields: Any) -> str | None:
        """Ask for a payment; return its id, or None when it was refused."""
        body = {"amount": "100.50", "currency": "MXN", "webhook_url": self.webhook_url, **fields}
        response = self.ask("POST", "/api/v1/payments", key, body)
        if response.status != 202:
            return None
        payment_id = str(response.body["payment_id"])
        if all(known.payment_id != payment_id for known in self.payments):
            self.payments.append(Accepted(payment_id, self, key, body, self.kernel.elapsed))
        return payment_id

    def refund(self, payment_id: str, key: str, amount: str | None = None) -> str | None:
        """Ask for a refund; return its id, or None when it was refused."""
        body = {"amount": amount} if amount else {}
        path = f"/api/v1/payments/{payment_id}/refunds"
        response = self.ask("POST", path, key, body)
        if response.status != 202:
            return None
        refund_id = str(response.body["refund_id"])
        if all(known.refund_id != refund_id for known in self.refunds):
            self.refunds.append(AcceptedRefund(refund_id, payment_id, self, self.kernel.elapsed))
        return refund_id

    def cancel(self, payment_id: str, key: str) -> bool:
        """Ask to cancel a payment; return whether that was accepted."""
        return self.ask("POST", f"/api/v1/payments/{payment_id}/cancel", key, {}).status == 202

    def read(self, payment_id: str) -> dict[str, Any]:
        """Read a payment; it is never older than what was read before."""
        known = max(self.seen.get(payment_id, ()), key=len, default=())
        response = self.ask("GET", f"/api/v1/payments/{payment_id}")
        body: dict[str, Any] = response.body
        if response.status == 200:
            told = tuple(line["status"] for line in body["history"])
            self.seen.setdefault(payment_id, []).append(told)
            if len(told) < len(known):
                self.complaints.append(f"{payment_id} was {known}, and then {told}")
        return body

    def ask(
        self, method: str, path: str, key: str = "", body: Mapping[str, Any] | None = None
    ) -> Response:
        """Send a request, again and again while there is no answer; raises GaveUpError."""
        headers = {"x-api-key": self.api_key}
        content = b""
        if body is not None:
            content = json.dumps(body).encode()
            headers |= {"content-type": "application/json", "idempotency-key": key}
        for wait in (*RETRY_SECONDS, None):
            response = self._try(method, path, headers, content)
            if response is not None and response.status == 500:
                self.complaints.append(f"{method} {path} was answered {response.status}")
            if response is not None and not _is_later(response):
                if response.status >= 400:
                    self.refused.append((method, path, response))
                return response
            if wait is not None:
                self.kernel.sleep(wait)
        raise GaveUpError(f"{self.merchant_id}: {method} {path}")

    def _try(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> Response | None:
        try:
            return self.edge.send(method, path, headers, content)
        except UnreachableError:
            return None


def _is_later(response: Response) -> bool:
    if response.status in _LATER:
        return True
    code = response.body.get("code") if isinstance(response.body, dict) else None
    return response.status == 409 and code == "idempotency_key_in_use"
