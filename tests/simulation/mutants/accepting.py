"""What is accepted, and to whom it is shown."""

from __future__ import annotations

from tests.simulation.mutants.mutant import FAULTS, Mutant, Place

ACCEPTING = (
    Mutant(
        "payment-id-by-chance",
        "the payment's id is not derived from the idempotency key alone",
        "riel/services/create_payment.py",
        "payment_id=ids.payment_id(caller.merchant_id, caller.livemode, key),",
        "payment_id=ids.payment_id(\n"
        '                caller.merchant_id, caller.livemode, f"{key}{self._app.random.random()}"\n'
        "            ),",
        Place(scenario="card-twice-at-once"),
    ),
    Mutant(
        "accepted-before-written",
        "a store that does not answer is taken for one that has written",
        "riel/services/payment_record.py",
        "        existing = self._store.create(draft.payment, draft.event, draft.listing_shards)\n",
        "        try:\n"
        "            existing = self._store.create(\n"
        "                draft.payment, draft.event, draft.listing_shards\n"
        "            )\n"
        "        except Exception:\n"
        "            existing = None\n",
        Place(FAULTS, "card-completed", 15),
    ),
    Mutant(
        "event-in-its-own-write",
        "a payment is accepted first, and its event written after it",
        "riel/store/payments.py",
        "            transact(self._dynamodb, [*actions, *guard])\n",
        "            transact(self._dynamodb, [actions[0], *guard])\n"
        "            transact(self._dynamodb, actions[1:])\n",
    ),
    Mutant(
        "conflict-is-a-no",
        "a write that another one disturbed is taken for one whose condition failed",
        "riel/store/dynamodb.py",
        '    if "TransactionConflict" in codes:\n        return _ConflictError()\n',
        '    if "TransactionConflict" in codes:\n        return ConditionFailedError(0, None)\n',
        Place(FAULTS, "card-completed", 15),
    ),
    Mutant(
        "owner-not-asked",
        "whoever knows a payment's id may read it",
        "riel/services/read_payment.py",
        "    if payment is None or not is_owner(caller, payment):",
        "    if payment is None:",
        Place(scenario="merchants-side-by-side"),
    ),
)
