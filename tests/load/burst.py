"""A burst of payments by up to a hundred clients: what was answered, how long until all were final.

    .venv/bin/python -m tests.load.burst --payments 600
    .venv/bin/python -m tests.load.burst --payments 60 --clients 1

Starts a stage of its own on free loopback ports and stops it. Bounded: one burst, one deadline.
Seconds on a shared machine are noisy; the counts are what this is for.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from infra.local.platform import LocalPlatform
from tests.end_to_end.client import Merchant
from tests.endpoint import running_endpoint

MAX_PAYMENTS = 2_000
MAX_CLIENTS = 100
DEADLINE_SECONDS = 300


def burst(payments: int, clients: int) -> dict[str, object]:
    """Post as fast as the clients can, wait for the end, count."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_endpoint() as endpoint,
        LocalPlatform(0, aws_port=0, simulator_port=0, state_folder=Path(folder)) as platform,
    ):
        merchant = Merchant(platform)
        started = time.monotonic()
        with ThreadPoolExecutor(clients) as pool:
            answers = list(
                pool.map(
                    lambda n: merchant.post(f"burst-{n}", webhook_url=endpoint.url), range(payments)
                )
            )
        answered = time.monotonic() - started
        ids = [answer.json()["payment_id"] for answer in answers if answer.status_code == 202]
        payments_seen = [merchant.wait_final(payment_id, DEADLINE_SECONDS) for payment_id in ids]
        final = [payment["status"] for payment in payments_seen]
        completed = {p["id"] for p in payments_seen if p["status"] == "completed"}
        ended = time.monotonic() - started
        while len(endpoint.received) < len(ids) and time.monotonic() - started < DEADLINE_SECONDS:
            time.sleep(0.1)
        charged = Counter(charge["payment_id"] for charge in merchant.charges())
        return {
            "payments": payments,
            "clients": clients,
            "answers": dict(Counter(answer.status_code for answer in answers)),
            "final": dict(Counter(final)),
            "charged twice": sum(count > 1 for count in charged.values()),
            "completed without a charge": len(completed - set(charged)),
            "charged without completing": len(set(charged) - completed),
            "webhooks received": len(endpoint.received),
            "webhooks received twice": len(endpoint.received)
            - len({headers["webhook-id"] for headers, _ in endpoint.received}),
            "seconds until all were answered": round(answered, 1),
            "seconds from accepted to claimed": _waits(payments_seen),
            "seconds until all were final": round(ended, 1),
        }


def _waits(payments: list[dict[str, Any]]) -> str:
    """How long a payment waits for a worker: through stream, relay and queue."""
    waits = []
    for payment in payments:
        accepted, claimed = (datetime.fromisoformat(line["at"]) for line in payment["history"][:2])
        waits.append((claimed - accepted).total_seconds())
    cuts = quantiles(waits, n=100, method="inclusive")
    return f"median {cuts[49]:.2f}, 99 % under {cuts[98]:.2f}"


def main() -> None:
    """Run one burst and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=200)
    parser.add_argument("--clients", type=int, default=MAX_CLIENTS)
    asked = parser.parse_args()
    payments = max(2, min(asked.payments, MAX_PAYMENTS))
    clients = max(1, min(asked.clients, payments, MAX_CLIENTS))
    for name, value in burst(payments, clients).items():
        print(f"{name:>32}: {value}")


if __name__ == "__main__":
    main()
