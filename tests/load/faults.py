"""Breaks a running stage and counts what became of every payment.

    .venv/bin/python -m tests.load.faults kill --payments 300
    .venv/bin/python -m tests.load.faults twice --payments 300
    .venv/bin/python -m tests.load.faults flood --payments 400

`kill` ends workers of the processor with SIGKILL at random moments; `twice` delivers every queue
message and every stream record two times; `flood` sends ten times what the PSP takes at once.
Each starts a stage of its own on free loopback ports, is bounded, stops by itself, and ends with
exit code 1 when money was lost, moved twice, or moved without the payment saying so.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from tests.end_to_end.client import FINAL, Merchant
from tests.end_to_end.dead_letters import count_dead_letters, payments_in_dead_letters
from tests.load.killer import Killer
from tests.load.stages import own_stage

MAX_PAYMENTS = 2_000
CLIENTS = 20
DEADLINE_SECONDS = 420
FLOOD_CAPACITY = 4
FLOOD_CLIENTS = 10 * FLOOD_CAPACITY
MIX = (
    "tok_ok",
    "tok_declined",
    "tok_insufficient_funds",
    "tok_timeout_after_charge",
    "tok_timeout_before_charge",
    "tok_unavailable",
    "tok_wrong_amount",
    "tok_poison",
    "tok_declined_once",
    "tok_issuer_unavailable",
    None,
)
"""Every way in which the simulator can end a card payment."""


@dataclass
class Verdict:
    """What was counted. Money is safe while every line of `violations` is 0."""

    payments: int
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_safe(self) -> bool:
        """Whether no promise was broken."""
        return not any(self.violations.values())


def kill(payments: int, seed: int) -> Verdict:
    """Kill processors while payments and refunds are under way."""
    with own_stage() as (platform, merchant):
        with Killer(platform, "processor", seed) as first:
            ids = _post(merchant, payments, MIX)
            _wait(platform, merchant, ids, lambda: first.is_done)
        _wait(platform, merchant, ids)
        with Killer(platform, "processor", seed + 1) as second:
            refunds = _refund(merchant, ids)
            verdict = _judge(platform, merchant, ids, refunds)
        verdict.notes["workers killed"] = first.kills + second.kills
        return verdict


def twice(payments: int, _seed: int) -> Verdict:
    """Deliver everything two times."""
    with own_stage(deliver_twice=True) as (platform, merchant):
        ids = _post(merchant, payments, MIX)
        _wait(platform, merchant, ids)
        return _judge(platform, merchant, ids, _refund(merchant, ids))


def flood(payments: int, _seed: int) -> Verdict:
    """Send ten times what the PSP takes at once; all must end, and none as a dead letter."""
    os.environ["RIEL_SIMULATOR_CAPACITY"] = str(FLOOD_CAPACITY)
    with own_stage() as (platform, merchant):
        ids = _post(merchant, payments, ("tok_ok",), clients=FLOOD_CLIENTS)
        verdict = _judge(platform, merchant, ids, [])
        verdict.notes["PSP's capacity"] = FLOOD_CAPACITY
        verdict.violations["dead letters"] = count_dead_letters(Aws(platform.state.aws_endpoint))
        verdict.violations["not completed"] = sum(
            count for (_, end), count in verdict.ends.items() if end != "completed"
        )
        return verdict


def _post(
    merchant: Merchant, payments: int, mix: tuple[str | None, ...], clients: int = CLIENTS
) -> dict[str, str]:
    """Post payments; return their tokens by their ids. Whoever is refused posts again."""

    def post(item: tuple[int, str | None]) -> tuple[str, str]:
        number, token = item
        while True:
            answer = merchant.post(f"fault-{number}", payment_method_token=token)
            if answer.status_code == 202:
                return answer.json()["payment_id"], token or "(none)"
            time.sleep(float(answer.headers.get("retry-after", "1")))

    with ThreadPoolExecutor(clients) as pool:
        return dict(pool.map(post, enumerate(islice(cycle(mix), payments))))


def _wait(
    platform: LocalPlatform,
    merchant: Merchant,
    ids: dict[str, str],
    is_over: Any = lambda: False,
) -> dict[str, str]:
    """Wait until every payment has an end, or visibly waits; return the ends by id."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    ends: dict[str, str] = {}
    seen = 0
    while True:
        dead = payments_in_dead_letters(Aws(platform.state.aws_endpoint))
        for payment_id in ids.keys() - ends.keys():
            status = merchant.get(payment_id)["status"]
            if status in FINAL:
                ends[payment_id] = status
            elif payment_id in dead:
                ends[payment_id] = "dead letter"
        open_ids = ids.keys() - ends.keys()
        if not open_ids or is_over() or time.monotonic() > deadline:
            return ends | dict.fromkeys(open_ids, "neither")
        if len(open_ids) != seen:
            seen = len(open_ids)
            print(f"{seen} payments have no end yet", file=sys.stderr)
        time.sleep(0.5)


def _refund(merchant: Merchant, ids: dict[str, str]) -> list[str]:
    """Refund a part of every completed payment, once for each of two keys."""

    def refund(payment_id: str) -> list[str]:
        if merchant.get(payment_id)["status"] != "completed":
            return []
        answers = [merchant.refund(payment_id, "10.00", key) for key in ("one", "two")]
        return [answer.json()["refund_id"] for answer in answers if answer.status_code == 202]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [refund_id for found in pool.map(refund, ids) for refund_id in found]


def _judge(
    platform: LocalPlatform, merchant: Merchant, ids: dict[str, str], refunds: list[str]
) -> Verdict:
    ends = _wait(platform, merchant, ids)
    verdict = Verdict(len(ids), Counter((ids[one], end) for one, end in ends.items()))
    charged = Counter(charge["payment_id"] for charge in merchant.charges())
    said = {one for one, end in ends.items() if end == "completed"}
    failed = {one for one, end in ends.items() if end == "failed"}
    verdict.violations = {
        "neither final nor visible": sum(end == "neither" for end in ends.values()),
        "charged twice": sum(count > 1 for count in charged.values()),
        "completed without a charge": len(said - charged.keys()),
        "charged although failed": len(failed & charged.keys()),
        **_judge_refunds(merchant, refunds),
    }
    dead = payments_in_dead_letters(Aws(platform.state.aws_endpoint))
    verdict.notes |= {
        "dead letters of healthy payments": sum(ids.get(one) != "tok_poison" for one in dead),
        "charges": charged.total(),
        "refunds": len(refunds),
        "messages in dead-letter queues": count_dead_letters(Aws(platform.state.aws_endpoint)),
    }
    return verdict


def _judge_refunds(merchant: Merchant, refunds: list[str]) -> dict[str, int]:
    """Wait until all refunds moved money, then count those that did so twice."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        moved = Counter(one["refund_id"] for one in merchant.refunds_moved())
        missing = len(set(refunds) - moved.keys())
        if not missing or time.monotonic() > deadline:
            return {
                "refunded twice": sum(count > 1 for count in moved.values()),
                "refunds that did not happen": missing,
            }
        time.sleep(0.5)


def show(name: str, verdict: Verdict, seconds: float) -> None:
    """Print the counts: how each token ended, and what must be 0."""
    console = Console()
    ends = sorted({end for _, end in verdict.ends})
    table = Table("token", *ends, title=f"{name}: {verdict.payments} payments, {seconds:.0f} s")
    for token in sorted({token for token, _ in verdict.ends}):
        table.add_row(token, *(str(verdict.ends[token, end] or "") for end in ends))
    console.print(table)
    for what, count in (verdict.notes | verdict.violations).items():
        console.print(f"{what:>32}: {count}")
    console.print("money is safe" if verdict.is_safe else "A PROMISE WAS BROKEN")


def main() -> None:
    """Run one kind of fault and say what it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fault", choices=("kill", "twice", "flood"))
    parser.add_argument("--payments", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    payments = max(len(MIX), min(asked.payments, MAX_PAYMENTS))
    print(f"seed {asked.seed}")
    began = time.monotonic()
    verdict = {"kill": kill, "twice": twice, "flood": flood}[asked.fault](payments, asked.seed)
    show(asked.fault, verdict, time.monotonic() - began)
    sys.exit(0 if verdict.is_safe else 1)


if __name__ == "__main__":
    main()
