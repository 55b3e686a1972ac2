"""`riel up`'s demo from its first payment to the lines to try next."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.live import Live

from infra.cli.demo.endpoint import WebhookEndpoint
from infra.cli.demo.orders import Arrival, Row
from infra.cli.demo.pipeline import Pipeline, charged_at_the_psp
from infra.cli.demo.screen import demo_table, milestones
from infra.cli.output import console
from infra.cli.stage_access import LOCAL, open_stage
from infra.local.state import LocalState

_CURL = """\
  curl -X POST {api}/api/v1/payments \\
    -H 'X-API-Key: secret-api-key' -H 'Idempotency-Key: order-124' \\
    -H 'Content-Type: application/json' \\
    -d '{{"amount": "100.50", "currency": "MXN", "description": "Order #124",
         "metadata": {{"order_id": "124"}},
         "webhook_url": "{webhook_url}"}}'
"""
_HEAL = """\
  curl -X POST \\
    {simulator}/payments/{poison}/outcome \\
    -d '{{"token": "tok_ok"}}'
  {riel} dlq redrive payments
"""


def show_demo(state: LocalState, endpoint: WebhookEndpoint) -> None:
    """Send the demo's payments and show them until all is told."""
    out = console()
    pipeline = Pipeline(open_stage(LOCAL), state.api, endpoint)
    print(f"\n{len(pipeline.rows)} payments through the whole pipeline:\n", flush=True)
    if out.is_terminal:
        _show_screen(out, pipeline)
        endpoint.on_arrival = _tell_arrival
    else:
        _show_lines(pipeline)
    _print_summary(out, pipeline, state)
    _print_next(state, pipeline.rows, endpoint.url)


def _show_screen(out: Console, pipeline: Pipeline) -> None:
    with Live(console=out, auto_refresh=False, vertical_overflow="visible") as live:
        pipeline.run(lambda: live.update(demo_table(pipeline, out.width), refresh=True))
        live.update(demo_table(pipeline, out.width), refresh=True)


def _show_lines(pipeline: Pipeline) -> None:
    told = [0] * len(pipeline.rows)
    alarm = ""

    def tell(name: str, what: str) -> None:
        print(f"{pipeline.seconds:5.1f} s  {name}  {what}", flush=True)

    def look() -> None:
        nonlocal alarm
        for number, row in enumerate(pipeline.rows):
            lines = milestones(row)
            for line in lines[told[number] :]:
                tell(f"{row.payment_id or '-':<30}  {row.order.token:<15}", line)
            told[number] = len(lines)
        if pipeline.alarm != alarm:
            alarm = pipeline.alarm
            tell(pipeline.alarm_name, f"is {alarm}")

    pipeline.run(look)


def _print_summary(out: Console, pipeline: Pipeline, state: LocalState) -> None:
    rows = pipeline.rows
    paid = [row.payment_id for row in rows if row.status == "completed"]
    failed = sum(row.status == "failed" for row in rows)
    dead = sum(row.is_dead_letter for row in rows)
    verified = sum(row.webhook is not None and row.webhook.is_verified for row in rows)
    rest = len(rows) - len(paid) - failed - dead
    out.print(
        f"\n{len(paid)} completed, {failed} declined, {dead} in the dead-letter queue"
        + (f", {rest} still under way." if rest else ".")
    )
    charged = charged_at_the_psp(state.simulator, rows)
    proof = "one for each completed payment" if sorted(charged) == sorted(paid) else "look at them"
    out.print(f"{verified} webhooks verified. {len(charged)} charges at the PSP: {proof}.")


def _print_next(state: LocalState, rows: list[Row], webhook_url: str) -> None:
    """Print lines to copy, so without any wrapping of ours."""
    riel = _own_name()
    print("\nTry next, in another terminal:\n")
    print(_CURL.format(api=state.api, webhook_url=webhook_url))
    if paid := next((row for row in rows if row.status == "completed"), None):
        print(f"  {riel} payments show {paid.payment_id}")
    print(f"  {riel} payments watch")
    if poison := next((row for row in rows if row.is_dead_letter), None):
        print(f"  {riel} dlq show payments")
        print("\nHeal the poisoned payment at the PSP, then send its message back:\n")
        print(_HEAL.format(simulator=state.simulator, poison=poison.payment_id, riel=riel))
    print("Ctrl-C stops everything.", flush=True)


def _tell_arrival(arrival: Arrival) -> None:
    verdict = "verified" if arrival.is_verified else "SIGNATURE WRONG"
    print(f"webhook {arrival.type} for {arrival.payment_id}, signature {verdict}", flush=True)


def _own_name() -> str:
    """How this command was called, so that the lines can be copied."""
    return sys.argv[0] if sys.argv[0].endswith("riel") else "riel"
