"""Money that goes back."""

from __future__ import annotations

from tests.simulation.mutants.mutant import FAULTS, Mutant, Place

REFUNDING = (
    Mutant(
        "late-money-kept",
        "what comes for a canceled payment stays with us",
        "riel/services/settle_payment.py",
        "    if was_canceled and refundable_minor(payment) > 0:\n",
        "    if was_canceled and refundable_minor(payment) < 0:\n",
        Place(scenario="voucher-canceled-after-a-part"),
    ),
    Mutant(
        "refund-key-per-attempt",
        "each attempt at a refund has a key of its own",
        "riel/services/charging.py",
        "        key=ids.refund_key(refund.refund_id, refund.gateway),\n",
        '        key=ids.refund_key(f"{refund.refund_id}-{refund.fence}", refund.gateway),\n',
        Place(scenario="refund-timeout"),
    ),
    Mutant(
        "pending-refunds-not-counted",
        "only refunds that are through are taken off what can be refunded",
        "riel/domain/refund.py",
        "    return payment.received_minor - payment.reserved_minor\n",
        "    return payment.received_minor - payment.refunded_minor\n",
        Place(FAULTS, "refund-in-parts-at-once"),
    ),
    Mutant(
        "reserve-over-another",
        "two refunds at once each count for themselves",
        "riel/store/refunds.py",
        'conditions.append(f"({absent}{name} = :{name})")',
        'conditions.append(f"({absent}{name} >= :{name})")',
        Place(FAULTS, "refund-in-parts-at-once", 65),
    ),
    Mutant(
        "declined-refund-stays-counted",
        "what a declined refund has taken is not given back",
        "riel/store/refunds.py",
        '            RefundStatus.FAILED: "SET reserved_minor = reserved_minor - :minor",\n',
        "",
        Place(scenario="refund-declined"),
    ),
    Mutant(
        "refund-counted-beside",
        "a refund's end and what its payment counts are written one after the other",
        "riel/store/refunds.py",
        "            transact(self._dynamodb, actions)\n",
        "            for action in actions:\n                transact(self._dynamodb, [action])\n",
    ),
)
