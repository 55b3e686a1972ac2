"""A merchant's program: posts payments, reads them, waits with a deadline."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from infra.local.platform import LocalPlatform
from tests.builders import API_KEY

FINAL = ("completed", "failed", "canceled", "expired", "in_review")


class Merchant:
    """Talks to the API over HTTP, as a merchant would."""

    def __init__(self, platform: LocalPlatform) -> None:
        self._state = platform.state
        self._threads = threading.local()
        self.simulator = httpx.Client(base_url=platform.state.simulator, timeout=60)

    @property
    def http(self) -> httpx.Client:
        """A client for each thread: httpx's pool is no place for two hundred of them."""
        if not hasattr(self._threads, "http"):
            self._threads.http = httpx.Client(
                base_url=self._state.api, headers={"X-API-Key": API_KEY}, timeout=60, verify=False
            )
        client: httpx.Client = self._threads.http
        return client

    def post(self, key: str | None = None, **fields: Any) -> httpx.Response:
        body = {"amount": "100.50", "currency": "MXN", **fields}
        headers = {"Idempotency-Key": key or f"key-{uuid.uuid4()}"}
        return self.http.post("/api/v1/payments", json=body, headers=headers)

    def create(self, token: str | None = "tok_ok", **fields: Any) -> str:
        answer = self.post(payment_method_token=token, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["payment_id"])

    def get(self, payment_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/payments/{payment_id}")
        assert answer.status_code == 200, answer.text
        payment: dict[str, Any] = answer.json()
        return payment

    def wait_final(self, payment_id: str, seconds: float = 60) -> dict[str, Any]:
        return self.wait(payment_id, lambda found: found["status"] in FINAL, seconds)

    def wait(
        self, payment_id: str, done: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        payment: dict[str, Any] = until(lambda: self.get(payment_id), done, seconds)
        return payment

    def refund(self, payment_id: str, amount: str | None, key: str) -> httpx.Response:
        return self.http.post(
            f"/api/v1/payments/{payment_id}/refunds",
            json={"amount": amount} if amount else {},
            headers={"Idempotency-Key": key},
        )

    def refunds_moved(self) -> list[dict[str, Any]]:
        refunds: list[dict[str, Any]] = self.simulator.get("/refunds").json()["data"]
        return refunds

    def charges(self, payment_id: str | None = None) -> list[dict[str, Any]]:
        charges: list[dict[str, Any]] = self.simulator.get("/charges").json()["data"]
        return [c for c in charges if payment_id in (None, c["payment_id"])]

    def force(self, payment_id: str, token: str) -> None:
        path = f"/payments/{payment_id}/outcome"
        assert self.simulator.post(path, json={"token": token}).status_code == 200


def until(look: Callable[[], Any], done: Callable[[Any], bool], seconds: float = 60) -> Any:
    """Poll with a deadline; the failure tells what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if done(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {seen}"
        time.sleep(0.1)
