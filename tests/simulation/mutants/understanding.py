"""What AWS and a PSP mean by what they answer, or by their silence."""

from __future__ import annotations

from tests.simulation.mutants.mutant import FAULTS, Mutant, Place

UNDERSTANDING = (
    Mutant(
        "failed-entries-not-read",
        "a batch that SQS has answered counts as sent, whatever the answer names as failed",
        "riel/store/queues.py",
        '        return {int(entry["Id"]) for entry in answer.get("Failed", [])}\n',
        '        return {int(entry["Id"]) for entry in answer.get("Failed", [])[:0]}\n',
        Place(FAULTS, "card-completed"),
    ),
    Mutant(
        "conflict-at-the-first-action",
        "a transaction's conflict is looked for at its first action alone",
        "riel/store/dynamodb.py",
        '    if "TransactionConflict" in codes:\n',
        '    if "TransactionConflict" in codes[:1]:\n',
        Place(FAULTS, "card-twice-at-once", 25),
    ),
    Mutant(
        "throttled-transaction-is-broken",
        "a transaction that was canceled because of throttling is an error that nobody knows",
        "riel/store/dynamodb.py",
        '    if {"ThrottlingError", "ProvisionedThroughputExceeded"} & set(codes):\n',
        '    if {"Throttling"} & set(codes):\n',
        Place(FAULTS, "card-completed"),
    ),
    Mutant(
        "later-is-throttling",
        "of all that means `later`, only throttling is taken for it",
        "riel/store/dynamodb.py",
        "    return StoreUnavailableError(code) if code in _LATER else error\n",
        '    return StoreUnavailableError(code) if code == "ThrottlingException" else error\n',
        Place(FAULTS, "card-completed"),
    ),
    Mutant(
        "silence-is-not-found",
        "a look-up that gets no answer is taken for one that found nothing",
        "riel/gateways/simulator.py",
        '            raise GatewayUnavailableError(f"{method} got no answer") from error\n',
        "            if error:\n                return None\n            raise\n",
        Place(FAULTS, "card-timeout-after-charge", 165),
    ),
)
