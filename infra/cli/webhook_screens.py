"""How deliveries and stopped endpoints look: on a screen, and as JSON in the API's shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from infra.cli.durations import after_time, age, day_and_time
from infra.cli.output import styled
from riel.domain.instants import from_text, to_text
from riel.services.list_deliveries import ToldEvent, delivery_view
from riel.services.redeliver_range import Redelivered
from riel.services.stopped_endpoints import StoppedEndpoints
from riel.store.deliveries import PENDING, Attempt, Delivery
from riel.store.endpoints import Endpoint

_Row = tuple[datetime | None, str, Text]
SHOWN_CHARACTERS = 60
"""Of what an endpoint answered; the whole of what is kept is in the JSON."""


def delivery_document(told: ToldEvent) -> dict[str, Any]:
    """Return a delivery as the API shows it, with where it goes."""
    return {**delivery_view(told), "url": told.delivery.url}


def print_deliveries(out: Console, url: str | None, deliveries: Sequence[ToldEvent]) -> None:
    """Print what was sent for a payment and what was answered."""
    if not url:
        out.print("The payment has no webhook_url: nothing is sent.")
        return
    out.print(Text.assemble(("Webhooks", "bold"), f" to {url}"), soft_wrap=True)
    for told in deliveries:
        _print_delivery(out, told)
    if not deliveries:
        out.print(Text("  sent when the payment is decided", style="dim"))


def endpoint_document(endpoint: Endpoint) -> dict[str, Any]:
    """Return a stopped endpoint as JSON."""
    since, failing = endpoint.stopped_at, endpoint.failing_since
    return {
        "endpoint_id": endpoint.endpoint_id,
        "merchant_id": endpoint.merchant_id,
        "url": endpoint.url,
        "why": endpoint.why,
        "failing_since": to_text(failing) if failing else None,
        "stopped_at": to_text(since) if since else None,
    }


def endpoints_document(found: StoppedEndpoints) -> dict[str, Any]:
    """Return a list of stopped endpoints as JSON."""
    documents = [endpoint_document(one) for one in found.endpoints]
    return {"data": documents, "has_more": found.has_more}


def more_endpoints(shown: int, merchant_id: str) -> str:
    """Say that a list of stopped endpoints is cut, and how the rest is seen."""
    further = "resume some to see the rest" if merchant_id else "see one's alone with --merchant ID"
    return f"\nThese are the first {shown}, and there are more: {further}."


def print_endpoints(out: Console, endpoints: Sequence[Endpoint], now: datetime) -> None:
    """Print stopped endpoints, each with its URL below it, whole as `resume` takes it."""
    for endpoint in endpoints:
        since = endpoint.stopped_at or now
        stopped = f"  stopped {day_and_time(since)[:16]} UTC, {age(now - since)} ago"
        why = f"  {endpoint.why}", "red"
        out.print(Text.assemble((endpoint.merchant_id, "bold"), why, stopped))
        out.print(Text(f"  {endpoint.url}"), soft_wrap=True)


def redelivered_document(done: Redelivered, dry_run: bool) -> dict[str, Any]:
    """Return what a redelivery did as JSON; with `dry_run`, `sent` is what would be sent."""
    return {
        "dry_run": dry_run,
        "found": done.found,
        "sent": done.sent,
        "other_states": done.others,
        "left": [{"delivery_id": event, "reason": reason} for event, reason in done.left],
        "unreadable": [{"key": one.key, "reason": one.reason} for one in done.unreadable],
        "next_from": to_text(done.next_from) if done.next_from else None,
    }


def print_redelivered(done: Redelivered, dry_run: bool) -> None:
    """Print what a redelivery did."""
    verb = "would be sent again" if dry_run else "sent again"
    events = "1 event" if done.found == 1 else f"{done.found} events"
    print(f"{events} looked at, {done.sent} {verb}.")
    if done.others:
        print(f"{done.others} in another state: see --state.")
    for event, reason in done.left:
        print(f"not sent: {event}: {reason}")
    for record in done.unreadable:
        print(f"can not be read: {record.key}: {record.reason}")
    if done.next_from:
        print(
            "That is the most for one run, and there is more: run it again with"
            f" --from {to_text(done.next_from)}"
        )


def progress_words(done: Redelivered) -> str:
    """Say how far a redelivery is."""
    return f"{done.found} looked at, {done.sent} sent again …"


def _print_delivery(out: Console, told: ToldEvent) -> None:
    """Print a delivery's id first in a line, where no width of a screen breaks it."""
    delivery = told.delivery
    state = _state(delivery)
    out.print(Text(f"{delivery.event_id}  {delivery.type}  ").append_text(state))
    if told.refund_id:
        out.print(Text(f"  of {told.refund_id}", style="dim"))
    out.print(Padding(_attempts_table(delivery), (0, 0, 0, 2)))


def _attempts_table(delivery: Delivery) -> Table:
    """Lay out attempts, one in a line: the day where it changes, the answer where there is room."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(justify="right", no_wrap=True, width=len("2026-04-17 12:00:00.000"))
    table.add_column(justify="right", no_wrap=True, min_width=len("15000 ms"))
    table.add_column(overflow="fold")
    before = None
    for at, took, words in [*map(_attempt, delivery.attempts), *_outlook(delivery)]:
        table.add_row(after_time(before, at) if at else "", took, words)
        before = at or before
    return table


def _state(delivery: Delivery) -> Text:
    words = styled(delivery.state)
    if delivery.failure:
        words.append(f" {delivery.failure}", style="dim")
    return words


def _attempt(attempt: Attempt) -> _Row:
    answer = f"HTTP {attempt.status}" if attempt.status else attempt.error
    words = Text(answer)
    if attempt.answer:
        words.append(f" {_printable(attempt.answer)}", style="dim")
    return from_text(attempt.at), f"{attempt.latency_ms} ms", words


def _outlook(delivery: Delivery) -> list[_Row]:
    """Say what comes after the attempts, and what came before those that are kept."""
    forgotten = delivery.attempt_count - len(delivery.attempts)
    told: list[_Row] = []
    if forgotten:
        told.append((None, "", Text(f"and {forgotten} before these", style="dim")))
    if delivery.state == PENDING:
        words = "next attempt" if delivery.next_at else "not tried yet"
        told.append((delivery.next_at, "", Text(words, style="dim")))
    elif not delivery.attempts:
        told.append((None, "", Text("never tried", style="dim")))
    return told


def _printable(answer: str) -> str:
    """Keep what an endpoint answered from moving the cursor, or anything else of a terminal."""
    line = " ".join(answer[:SHOWN_CHARACTERS].split())
    return "".join(letter if letter.isprintable() else "·" for letter in line)
