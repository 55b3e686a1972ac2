"""Breaks the way of webhooks on a running stage, and counts what merchants saw of it.

    .venv/bin/python -m tests.load.webhooks kill
    .venv/bin/python -m tests.load.webhooks isolation
    .venv/bin/python -m tests.load.webhooks waiting

`kill` ends senders with SIGKILL at random moments while payments end and endpoints fail;
`isolation` lets one merchant's endpoints hang and drip beside the deliveries of another; `waiting`
has 1,000 deliveries told to come back in an hour. Each starts a stage of its own on free loopback
ports, is bounded, stops by itself, and ends with exit code 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from riel import ids
from riel.app import App
from riel.domain.events import MERCHANT_EVENTS
from riel.store.deliveries import DELIVERED, FAILED, Delivery
from riel.store.keys import DUE_SHARDS, webhooks_partition
from tests.end_to_end.client import FINAL, Merchant
from tests.load.killer import Killer
from tests.load.sinks import Connections, Reply, Sink, running_sink, time_waster
from tests.load.stages import own_stage
from tests.webhook_traffic import new_events, new_merchant, open_app, publish

CLIENTS = 20
DEADLINE_SECONDS = 420
MAX_DELIVERIES = 2_000
ROUNDS = 5
MAX_RATIO = 2.0
TOKENS = ("tok_ok", "tok_ok", "tok_declined", "tok_insufficient_funds")
AN_HOUR = Reply(503, retry_after="3600")
SENDER = "webhook-sender"
SENDER_ENDED = "sender_ended"


@dataclass
class Verdict:
    """What was counted. Every promise was kept while each line of `broken` is 0."""

    counts: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether no promise was broken."""
        return not any(self.broken.values())


def kill(number: int, seed: int) -> Verdict:
    """Kill senders while payments end, and their merchant's endpoint is slow and fails."""
    with own_stage() as (platform, merchant), running_sink(_mixed) as (sink, url):
        app = open_app(platform)
        with Killer(platform, SENDER, seed) as killer:
            payments = _pay(merchant, number, url)
            events = _events_of(merchant, payments)
            found = _wait_ends(app, events, lambda: killer.is_done)
        found = _wait_ends(app, events)
        return _judge(events, found, sink, killer.kills)


def _mixed(event_id: str, times: int) -> Reply:
    """A third is taken at once, a third fails at first, and a third is slow."""
    kind = ids.spread(event_id, 3)
    if kind == 0:
        return Reply()
    return Reply(500 if times == 1 else 200) if kind == 1 else Reply(after_seconds=1)


def _pay(merchant: Merchant, number: int, url: str) -> list[str]:
    def post(n: int) -> str:
        token = TOKENS[n % len(TOKENS)]
        answer = merchant.post(f"webhook-{n}", payment_method_token=token, webhook_url=url)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["payment_id"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(post, range(number)))


def _events_of(merchant: Merchant, payments: list[str]) -> dict[str, str]:
    """Wait until all payments have an end; return the payment of every event that is told."""
    events: dict[str, str] = {}
    for payment_id in payments:
        payment = merchant.wait(payment_id, lambda p: p["status"] in FINAL, DEADLINE_SECONDS)
        for sequence, line in enumerate(payment["history"], start=1):
            if line["status"] in MERCHANT_EVENTS:
                events[ids.event_id(payment_id, sequence)] = payment_id
    return events


def _wait_ends(
    app: App, events: dict[str, str], is_over: Callable[[], bool] = lambda: False
) -> dict[str, Delivery]:
    """Wait until every delivery has an end; return those that have."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    ended: dict[str, Delivery] = {}
    while True:
        for event_id in events.keys() - ended.keys():
            delivery = app.deliveries.get(events[event_id], event_id)
            if delivery and delivery.state in (DELIVERED, FAILED):
                ended[event_id] = delivery
        if len(ended) == len(events) or is_over() or time.monotonic() > deadline:
            return ended
        _tell(f"{len(events) - len(ended)} deliveries have no end yet")
        time.sleep(1)


def _judge(events: dict[str, str], ended: dict[str, Delivery], sink: Sink, kills: int) -> Verdict:
    came = Counter(arrival.webhook_id for arrival in sink.arrivals)
    attempts = [attempt for delivery in ended.values() for attempt in delivery.attempts]
    answered = sum(attempt.status != 0 for attempt in attempts)
    failed = {event_id for event_id, delivery in ended.items() if delivery.state == FAILED}
    return Verdict(
        {
            "senders killed": kills,
            "payments": len(set(events.values())),
            "events": len(events),
            "requests received": came.total(),
            "attempts recorded": len(attempts),
            "of them answered": answered,
            "of them for a sender that died": sum(a.error == SENDER_ENDED for a in attempts),
            "taken twice, under the same id": sum(
                count > 1 for count in Counter(_taken(sink)).values()
            ),
            "failed and visible": len(failed),
        },
        {
            "lost": len(events.keys() - sink.ids() - failed),
            "without an end": len(events.keys() - ended.keys()),
            "said to be delivered, but never taken": len(ended.keys() - failed - sink.ids()),
            "ids that no event has": len(came.keys() - events.keys()),
            "answers recorded that nobody gave": max(answered - came.total(), 0),
            "nobody was killed": int(not kills),
        },
    )


def _taken(sink: Sink) -> list[str]:
    return [one.webhook_id for one in sink.arrivals if one.status < 300]


def isolation(number: int, _seed: int) -> Verdict:
    """Deliver for one merchant alone, beside a busy one, and beside one that hangs and drips.

    The engine's queue is not fair, so whatever another merchant has just published stands in front
    of the first round, prompt or not: the busy one shows what that alone costs.
    """
    connections = Connections()
    with own_stage() as (platform, _), ExitStack() as stack:
        app = open_app(platform)
        sink, url = stack.enter_context(running_sink())
        _, busy_url = stack.enter_context(running_sink())
        good, busy, bad = (new_merchant(app, name) for name in ("Good", "Busy", "Hangs"))

        def rounds() -> list[float]:
            return [_deliver(app, sink, good, url, number) for _ in range(ROUNDS)]

        first, alone = _deliver(app, sink, good, url, number), rounds()
        publish(app, new_events(busy, busy_url, 2 * number))
        beside_busy = rounds()
        for drips in (False, True):
            waster = stack.enter_context(time_waster(connections, drips=drips))
            publish(app, new_events(bad, waster, number))
        beside_bad: list[float] = []
        for _ in range(ROUNDS):
            _until(lambda: connections.open > 0, "connection that hangs")
            beside_bad.append(_deliver(app, sink, good, url, number))
        ratio = median(beside_bad) / median(alone)
        return Verdict(
            {
                "good deliveries in a round": number,
                "another merchant's": 2 * number,
                "first contact": _seconds([first]),
                "alone": _seconds(alone),
                "beside one that is busy": _seconds(beside_busy),
                "beside one that hangs and drips": _seconds(beside_bad),
                "ratio to alone, of the medians": f"{ratio:.2f}",
                "of the first rounds": f"{beside_bad[0] / median(alone):.2f}"
                f" (busy: {beside_busy[0] / median(alone):.2f})",
                "connections that hung": connections.total,
                "most of them at a time": connections.most,
            },
            {
                "twice as slow, or worse": int(ratio >= MAX_RATIO),
                "connections above the bound": max(connections.most - 3, 0),
            },
        )


def _deliver(app: App, sink: Sink, merchant_id: str, url: str, number: int) -> float:
    """Deliver so many webhooks; return the seconds until the last one came."""
    events = new_events(merchant_id, url, number)
    wanted = {event.event_id for event in events}
    began = time.monotonic()
    publish(app, events)
    _until(lambda: wanted <= sink.ids(), f"{number} deliveries", every=0.02)
    return max(one.at for one in sink.arrivals if one.webhook_id in wanted) - began


def waiting(number: int, _seed: int) -> Verdict:
    """Have deliveries told to come back in an hour; they may hold nothing but their items."""
    with own_stage() as (platform, _), running_sink(lambda _id, _times: AN_HOUR) as (sink, url):
        app = open_app(platform)
        publish(app, new_events(new_merchant(app, "Busy"), url, number))
        _until(lambda: len(sink.arrivals) >= number, "the first attempts", tell=sink.arrivals)
        _until(lambda: not any(app.webhooks_queue.depth().values()), "an empty queue")
        depth, indexed = app.webhooks_queue.depth(), _indexed(app)
        asked = Counter(one.webhook_id for one in sink.arrivals)
        return Verdict(
            {"deliveries": number, "attempts": asked.total(), "in the index": indexed, **depth},
            {
                "not in the index": number - indexed,
                "tried more than once": sum(count > 1 for count in asked.values()),
                "never tried": number - len(asked),
                "held by the queue": sum(depth.values()),
            },
        )


def _indexed(app: App) -> int:
    return sum(app.due.count(webhooks_partition(shard)) for shard in range(DUE_SHARDS))


def _until(
    is_so: Callable[[], bool], what: str, *, every: float = 0.2, tell: list[Any] | None = None
) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            so_far = "" if tell is None else f" ({len(tell)} so far)"
            sys.exit(f"A PROMISE WAS BROKEN: no {what} within {DEADLINE_SECONDS} s{so_far}")
        time.sleep(every)


def _seconds(rounds: list[float]) -> str:
    return ", ".join(f"{seconds:.2f}" for seconds in rounds) + " s"


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def show(name: str, verdict: Verdict, seconds: float) -> None:
    """Print the counts, and what must be 0."""
    table = Table("counted", "", title=f"{name}: {seconds:.0f} s")
    for what, value in verdict.counts.items():
        table.add_row(what, str(value))
    table.add_section()
    for what, value in verdict.broken.items():
        table.add_row(what, str(value), style="red" if value else "green")
    console = Console()
    console.print(table)
    console.print("every promise was kept" if verdict.is_kept else "A PROMISE WAS BROKEN")


def main() -> None:
    """Run one kind and say what it did."""
    kinds = {"kill": (kill, 200), "isolation": (isolation, 200), "waiting": (waiting, 1_000)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--number", type=int, help="deliveries (isolation: in each round)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    run, usual = kinds[asked.kind]
    print(f"seed {asked.seed}")
    began = time.monotonic()
    verdict = run(max(1, min(asked.number or usual, MAX_DELIVERIES)), asked.seed)
    show(asked.kind, verdict, time.monotonic() - began)
    sys.exit(0 if verdict.is_kept else 1)


if __name__ == "__main__":
    main()
