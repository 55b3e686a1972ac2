"""Sends the demo's payments through the HTTP API and looks at them until all is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx

from infra.cli.demo.endpoint import WebhookEndpoint
from infra.cli.demo.orders import ORDERS, Order, Row
from infra.cli.stage_access import StageAccess
from infra.local.seed import DEMO_API_KEY

GAP_SECONDS = 0.3
"""Between two posts, so that a person sees them move one after the other."""
PERIOD_SECONDS = 0.1
DEADLINE_SECONDS = 35.0
ALARM = "payments-dlq-depth"
PAYMENTS_PATH = "/api/v1/payments"


class Pipeline:
    """The demo's payments on their way. `rows`, `dead_letters` and `alarm` are what is seen."""

    def __init__(self, access: StageAccess, api: str, endpoint: WebhookEndpoint) -> None:
        self.rows = [Row(order) for order in ORDERS]
        self.dead_letters = 0
        self.alarm = ""
        self.alarm_name = access.names.alarm(ALARM)
        self.began = time.monotonic()
        self._endpoint = endpoint
        self._dead_letter_queue = access.queue("payments-dlq")
        self._cloudwatch = access.app.client("cloudwatch")
        self._http = httpx.Client(base_url=api, timeout=10, trust_env=False)

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self.began

    @property
    def is_done(self) -> bool:
        """Whether every payment is told, and the alarm rings for the poisoned one."""
        has_poison = any(row.is_dead_letter for row in self.rows)
        is_noticed = self.alarm == "ALARM" and self.dead_letters > 0
        return all(row.is_done for row in self.rows) and (is_noticed or not has_poison)

    def run(self, on_look: Callable[[], None]) -> None:
        """Send and look, until all is told or the time is over."""
        pool = ThreadPoolExecutor(len(self.rows) + 2)
        try:
            for number in range(len(self.rows)):
                pool.submit(self._send, number)
            while not self.is_done and self.seconds < DEADLINE_SECONDS:
                self._look(pool)
                on_look()
                time.sleep(PERIOD_SECONDS)
        finally:
            # Ctrl-C must not wait for requests that are on their way.
            pool.shutdown(wait=False, cancel_futures=True)

    def _send(self, number: int) -> None:
        time.sleep(number * GAP_SECONDS)
        row = self.rows[number]
        began = time.monotonic()
        try:
            answer = self._http.post(
                PAYMENTS_PATH,
                headers={"X-API-Key": DEMO_API_KEY, "Idempotency-Key": f"demo-{number + 1}"},
                json=self._body(row.order, number + 1),
            )
        except httpx.HTTPError as error:
            row.problem = type(error).__name__
            return
        if answer.status_code != httpx.codes.ACCEPTED:
            row.problem = f"HTTP {answer.status_code}"
            return
        row.accepted_in = timedelta(seconds=time.monotonic() - began)
        row.payment_id = answer.json()["payment_id"]

    def _body(self, order: Order, number: int) -> dict[str, object]:
        return {
            "amount": order.amount,
            "currency": order.currency,
            "description": f"Demo order {number}",
            "payment_method_token": order.token,
            "metadata": {"order_id": str(number)},
            "webhook_url": self._endpoint.url,
        }

    def _look(self, pool: ThreadPoolExecutor) -> None:
        on_the_way = [row for row in self.rows if row.payment_id and not row.is_decided]
        views = [pool.submit(self._read, row) for row in on_the_way]
        depth = self._dead_letter_queue.depth()
        self.dead_letters = depth["visible"] + depth["in_flight"]
        self.alarm = self._alarm_state()
        for view in views:
            view.result()
        for row in self.rows:
            row.webhook = self._endpoint.arrival(row.payment_id)

    def _read(self, row: Row) -> None:
        try:
            answer = self._http.get(
                f"{PAYMENTS_PATH}/{row.payment_id}", headers={"X-API-Key": DEMO_API_KEY}
            )
        except httpx.HTTPError:
            return  # the next look tries again
        if answer.status_code == httpx.codes.OK:
            row.update(answer.json())

    def _alarm_state(self) -> str:
        found = self._cloudwatch.describe_alarms(AlarmNames=[self.alarm_name])["MetricAlarms"]
        return str(found[0]["StateValue"]) if found else ""


def charged_at_the_psp(simulator: str, rows: list[Row]) -> list[str]:
    """Return the payment of each charge that the PSP made for these payments."""
    answer = httpx.get(f"{simulator}/charges", timeout=10, trust_env=False)
    ours = {row.payment_id for row in rows}
    charged = [str(charge["payment_id"]) for charge in answer.json()["data"]]
    return [payment_id for payment_id in charged if payment_id in ours]
