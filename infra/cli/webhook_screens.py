"""How deliveries and stopped endpoints look: on a screen, and as JSON in the API's shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.durations import age, day_and_time, time_of_day
from infra.cli.output import new_table, styled
from riel.domain.instants import to_text
from riel.services.list_deliveries import ToldEvent, delivery_view
from riel.services.redeliver_range import Redelivered
from riel.store.deliveries import PENDING, Attempt, Delivery
from riel.store.endpoints import Endpoint

SHOWN_CHARACTERS = 60
"""Of what an endpoint answered; the whole of what is kept is in the JSON."""


def delivery_document(told: ToldEvent) -> dict[str, Any]:
    """Return a delivery as the API shows it, with where it goes."""
    return {**delivery_view(told), "url": told.delivery.url}


def deliveries_table(deliveries: Sequence[ToldEvent]) -> Table:
    """Lay out deliveries, one attempt in a line."""
    columns = ("Delivery", "Type", "State", "At (UTC)", "Took", "Answer")
    table = new_table(*columns, right=("Took",))
    for told in deliveries:
        delivery = told.delivery
        first = (
            Text(delivery.event_id, no_wrap=True),
            Text(delivery.type, no_wrap=True),
            _state(delivery),
        )
        rows = [_attempt(attempt) for attempt in delivery.attempts] + _outlook(delivery)
        for number, row in enumerate(rows):
            table.add_row(*(first if number == 0 else ("", "", "")), *row)
    return table


def print_deliveries(out: Console, url: str | None, deliveries: Sequence[ToldEvent]) -> None:
    """Print what was sent for a payment and what was answered."""
    if not url:
        out.print("The payment has no webhook_url: nothing is sent.")
        return
    out.print(Text.assemble(("Webhooks", "bold"), f" to {url}"), soft_wrap=True)
    if deliveries:
        out.print(deliveries_table(deliveries))
    else:
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


def endpoints_table(endpoints: Sequence[Endpoint], now: datetime) -> Table:
    """Lay out stopped endpoints, one in a line."""
    table = new_table("Merchant", "Why", "Stopped (UTC)", "Ago", "URL", right=("Ago",))
    for endpoint in endpoints:
        since = endpoint.stopped_at or now
        table.add_row(
            Text(endpoint.merchant_id, no_wrap=True),
            Text(endpoint.why, style="red"),
            Text(day_and_time(since)[:19], no_wrap=True),
            age(now - since),
            Text(endpoint.url),
        )
    return table


def redelivered_document(done: Redelivered, dry_run: bool) -> dict[str, Any]:
    """Return what a redelivery did as JSON; with `dry_run`, `sent` is what would be sent."""
    return {
        "dry_run": dry_run,
        "found": done.found,
        "sent": done.sent,
        "other_states": done.others,
        "left": [{"delivery_id": event, "reason": reason} for event, reason in done.left],
        "unreadable": [{"key": one.key, "reason": one.reason} for one in done.unreadable],
        "is_cut": done.is_cut,
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
    if done.is_cut:
        print("That is the most for one run, and there may be more: run it again.")


def progress_words(done: Redelivered) -> str:
    """Say how far a redelivery is."""
    return f"{done.found} looked at, {done.sent} sent again …"


def _state(delivery: Delivery) -> Text:
    words = styled(delivery.state)
    if delivery.failure:
        words.append(f" {delivery.failure}", style="dim")
    return words


def _attempt(attempt: Attempt) -> tuple[Text, str, Text]:
    at = time_of_day(datetime.fromisoformat(attempt.at))
    answer = f"HTTP {attempt.status}" if attempt.status else attempt.error
    words = Text(answer)
    if attempt.answer:
        words.append(f" {_printable(attempt.answer)}", style="dim")
    return Text(at, no_wrap=True), f"{attempt.latency_ms} ms", words


def _outlook(delivery: Delivery) -> list[tuple[Text, str, Text]]:
    """Say what comes after the attempts, and what came before those that are kept."""
    forgotten = delivery.attempt_count - len(delivery.attempts)
    told = []
    if forgotten:
        told.append((Text(""), "", Text(f"and {forgotten} before these", style="dim")))
    if delivery.state == PENDING:
        at = Text(time_of_day(delivery.next_at), no_wrap=True) if delivery.next_at else Text("")
        words = "next attempt" if delivery.next_at else "not tried yet"
        told.append((at, "", Text(words, style="dim")))
    elif not delivery.attempts:
        told.append((Text(""), "", Text("never tried", style="dim")))
    return told


def _printable(answer: str) -> str:
    """Keep what an endpoint answered from moving the cursor, or anything else of a terminal."""
    line = " ".join(answer[:SHOWN_CHARACTERS].split())
    return "".join(letter if letter.isprintable() else "·" for letter in line)
