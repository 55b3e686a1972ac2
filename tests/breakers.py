"""What tests of the breakers do with hosts, on a fake clock."""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime, timedelta

from riel.app import App
from riel.observability import metrics
from riel.services.host_breakers import FREE_MISSES, PROMPT_SECONDS, Admission, HostBreakers
from riel.services.webhook_message import MAX_COPIES
from riel.webhooks.sending import DEADLINE_SECONDS
from tests.builders import FakeClock

HOST = "example.com:443"
HOSTS = [f"{n}.example.com:443" for n in range(20)]
PROMPT, SLOW = 0.1, PROMPT_SECONDS + 1


def goes(breakers: HostBreakers, host: str = HOST, merchant: str = "demo") -> Admission:
    admission = breakers.admit(merchant, host)
    assert admission.wait_seconds == 0
    return admission


def waits(breakers: HostBreakers, host: str = HOST, merchant: str = "demo") -> float:
    seconds = breakers.admit(merchant, host).wait_seconds
    assert seconds > 0
    return seconds


def try_once(
    breakers: HostBreakers, seconds: float = PROMPT, host: str = HOST, *, answered: bool = True
) -> None:
    breakers.note(goes(breakers, host), seconds, answered=answered)


def hang(breakers: HostBreakers, host: str = HOST) -> None:
    try_once(breakers, DEADLINE_SECONDS, host, answered=False)


def hang_until_it_rests(breakers: HostBreakers) -> None:
    for _ in range(FREE_MISSES):
        hang(breakers)


def prove(breakers: HostBreakers, hosts: list[str], clock: FakeClock) -> None:
    for host in hosts:
        try_once(breakers, host=host)
    clock.advance(1)


def are_proven(breakers: HostBreakers, hosts: list[str]) -> list[bool]:
    asked = [breakers.admit("demo", host) for host in hosts]
    return [admission.wait_seconds == admission.probe_until_ms == 0 for admission in asked]


def doubts(metric: str = "WebhookHostDoubted") -> int:
    return len(metrics.metric_set.get(metric, {}).get("Value", []))


def merchant_doubts() -> int:
    return doubts("WebhookMerchantDoubted")


class Backlog:
    """A hundred webhooks of one host that answers slowly; each that ends is followed by another.

    Whoever has to wait comes back as `deliver_webhook` has it: by four copies, then each minute.
    """

    def __init__(
        self, app: App, breakers: HostBreakers, clock: FakeClock, *, seconds: float
    ) -> None:
        self._app, self._breakers, self._clock = app, breakers, clock
        self._seconds, self._order = seconds, itertools.count()
        self._agenda: list[tuple[datetime, int, Admission | None, str, int]] = []
        for _ in range(100):
            self._plan(app.random.uniform(0, 5), HOST)

    def wait_of(self, host: str) -> float:
        """How many seconds a webhook of another host, a minute from now, waits until it may go."""
        started = self._clock() + timedelta(minutes=1)
        self._plan(60, host)
        while self._clock() < started + timedelta(minutes=10):
            at, _, ended, who, waits = heapq.heappop(self._agenda)
            self._clock.advance(max((at - self._clock()).total_seconds(), 0))
            if ended:
                self._breakers.note(ended, self._seconds, answered=True)
                self._plan(1, HOST)
                continue
            admission = self._breakers.admit("demo", who)
            if admission.wait_seconds:
                self._put_off(who, admission.wait_seconds, waits)
            elif who != host:
                self._plan(self._seconds, who, admission)
            else:
                self._breakers.note(admission, PROMPT, answered=True)
                return (self._clock() - started).total_seconds()
        raise AssertionError("it waited for ten minutes")

    def _put_off(self, who: str, seconds: float, waits: int) -> None:
        is_copy = waits < MAX_COPIES
        delay = max(round(seconds), 2**waits) if is_copy else self._app.random.uniform(48, 72)
        self._plan(delay, who, waits=waits + 1 if is_copy else 0)

    def _plan(
        self, seconds: float, who: str, ended: Admission | None = None, *, waits: int = 0
    ) -> None:
        at = self._clock() + timedelta(seconds=seconds)
        heapq.heappush(self._agenda, (at, next(self._order), ended, who, waits))
