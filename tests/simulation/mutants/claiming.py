"""Who works on a payment, and who may write to it."""

from __future__ import annotations

from tests.simulation.mutants.mutant import FAULTS, Mutant, Place

CLAIMING = (
    Mutant(
        "claim-of-what-has-no-lease",
        "what nobody holds can be claimed, also when it is over",
        "riel/store/claims.py",
        '"#status = :pending AND #sequence = :one",',
        '"#status = :pending OR attribute_not_exists(lease_until)",',
    ),
    Mutant(
        "claim-of-what-is-held",
        "the condition on the claim is dropped: a lease keeps nobody away",
        "riel/store/claims.py",
        '"#status = :processing AND lease_until <= :now",',
        '"#status = :processing OR lease_until <= :now",',
        Place(scenario="card-timeout-after-charge"),
    ),
    Mutant(
        "lease-of-nothing",
        "a lease ends when it begins",
        "riel/store/claims.py",
        "        until = epoch_milliseconds(now + lease)\n",
        "        until = epoch_milliseconds(now)\n",
    ),
    Mutant(
        "lease-in-minutes",
        "a lease's seconds are taken for minutes: it ends when nobody waits any more",
        "riel/services/process_payment.py",
        "    lease = timedelta(seconds=app.config.lease_seconds)",
        "    lease = timedelta(minutes=app.config.lease_seconds)",
        Place(scenario="event-repeated"),
    ),
    Mutant(
        "release-of-what-is-lost",
        "a claim is given back that another worker has by now, or whose result is written",
        "riel/store/claims.py",
        '        condition = "fence = :fence AND #status = :processing"\n',
        '        condition = "fence = :fence OR #status = :processing"\n',
        Place(FAULTS, "card-declined-in-the-end", 40),
    ),
    Mutant(
        "sequence-not-checked",
        "a change is written over one that came between",
        "riel/store/payments.py",
        'f"#sequence = :old_sequence AND {received}"',
        'f"#sequence >= :old_sequence AND {received}"',
        Place(scenario="card-cancel-races-charge", begin=120),
    ),
    Mutant(
        "fence-not-checked",
        "a result is recorded whoever has the payment by now",
        "riel/store/payments.py",
        '        update["ConditionExpression"] += " AND fence = :fence"\n',
        '        update["ConditionExpression"] = "fence >= :fence AND " + update[\n'
        '            "ConditionExpression"\n'
        '        ].replace("=", ">=", 1)\n',
        Place(FAULTS, "voucher-never-paid", 60),
    ),
    Mutant(
        "result-without-its-event",
        "a result is recorded first, and its event written after it",
        "riel/store/payments.py",
        '            transact(self._dynamodb, [{"Update": update},'
        " outbox.put_action(self._outbox, event)])\n"
        "        except ConditionFailedError as failed:\n",
        '            transact(self._dynamodb, [{"Update": update}])\n'
        "            transact(self._dynamodb, [outbox.put_action(self._outbox, event)])\n"
        "        except ConditionFailedError as failed:\n",
    ),
    Mutant(
        "cancel-beside-a-charge",
        "a payment can be canceled while its gateway step runs",
        "riel/domain/payment.py",
        "    _S.PROCESSING: frozenset({_S.COMPLETED, _S.FAILED, _S.AWAITING_PAYMENT,"
        " _S.IN_REVIEW}),\n",
        "    _S.PROCESSING: frozenset(\n"
        "        {_S.COMPLETED, _S.FAILED, _S.AWAITING_PAYMENT, _S.IN_REVIEW, _S.CANCELED}\n"
        "    ),\n",
        Place(scenario="card-cancel-races-charge"),
    ),
)
