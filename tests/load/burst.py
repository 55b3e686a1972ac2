"""A burst of payments by a hundred clients: what was answered, how long until all were final.

    .venv/bin/python -m tests.load.burst --payments 600

Starts a stage of its own on free loopback ports and stops it. Bounded: one burst, one deadline.
Seconds on a shared machine are noisy; the counts are what this is for.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.local.platform import LocalPlatform
from tests.end_to_end.client import Merchant
from tests.endpoint import running_endpoint

MAX_PAYMENTS = 2_000
MAX_CLIENTS = 100
DEADLINE_SECONDS = 300


def burst(payments: int) -> dict[str, object]:
    """Post as fast as the clients can, wait for the end, count."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_endpoint() as endpoint,
        LocalPlatform(0, aws_port=0, simulator_port=0, state_folder=Path(folder)) as platform,
    ):
        merchant = Merchant(platform)
        started = time.monotonic()
        with ThreadPoolExecutor(min(payments, MAX_CLIENTS)) as pool:
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
            "answers": dict(Counter(answer.status_code for answer in answers)),
            "final": dict(Counter(final)),
            "charged twice": sum(count > 1 for count in charged.values()),
            "completed without a charge": len(completed - set(charged)),
            "charged without completing": len(set(charged) - completed),
            "webhooks received": len(endpoint.received),
            "webhooks received twice": len(endpoint.received)
            - len({headers["webhook-id"] for headers, _ in endpoint.received}),
            "seconds until all were answered": round(answered, 1),
            "seconds until all were final": round(ended, 1),
        }


def main() -> None:
    """Run one burst and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=200)
    asked = parser.parse_args().payments
    for name, value in burst(min(asked, MAX_PAYMENTS)).items():
        print(f"{name:>32}: {value}")


if __name__ == "__main__":
    main()
