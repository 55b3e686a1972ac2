"""What carries payments on: queues, the stream, the sweeper, PSPs' events."""

from __future__ import annotations

from tests.simulation.mutants.mutant import FAULTS, Mutant, Place

CARRYING = (
    Mutant(
        "ack-before-write",
        "a message is done with although its outcome could not be written",
        "riel/services/process_payment.py",
        "quiet_since_ms=now_ms), held_until=until)\n        raise\n",
        'quiet_since_ms=now_ms), held_until=until)\n        return "not written"\n',
    ),
    Mutant(
        "held-is-done",
        "a message that finds another worker at it is acknowledged",
        "functions/processor/handler.py",
        "        _give_back(record, held.seconds)\n        raise\n",
        '        _give_back(record, held.seconds)\n        return "held"\n',
        Place(scenario="event-repeated"),
    ),
    Mutant(
        "batch-without-failures",
        "the answer for a batch names no message that failed",
        "functions/processor/handler.py",
        "    answer = _batches.run(event, context)\n",
        '    answer = _batches.run(event, context) | {"batchItemFailures": []}\n',
        Place(scenario="card-poisoned"),
    ),
    Mutant(
        "sent-whatever-happens",
        "a message that SQS did not take counts as sent",
        "riel/store/queues.py",
        '            raise StoreUnavailableError(f"send to {self.url}: {error}") from error\n',
        "            return\n",
        Place(FAULTS, "card-softly-declined", 35),
    ),
    Mutant(
        "relay-without-failures",
        "the relay reports what it could not publish as published",
        "functions/outbox_relay/handler.py",
        '    failed = relay_records(_app, event["Records"])\n',
        '    failed = relay_records(_app, event["Records"])[:0]\n',
        Place(FAULTS, "card-completed", 15),
    ),
    Mutant(
        "outbox-not-swept",
        "the sweeper does not look at the outbox",
        "riel/services/sweep.py",
        "    for n, age_seconds in enumerate(app.config.sweep_ages_seconds):\n",
        "    for n, age_seconds in enumerate(app.config.sweep_ages_seconds[:0]):\n",
        Place(scenario="sweeper-alone"),
    ),
    Mutant(
        "due-not-swept",
        "the sweeper brings due webhooks, and forgets payments",
        "riel/services/sweep.py",
        "    for sweep_part in (sweep_due, sweep_webhooks):\n",
        "    for sweep_part in (sweep_webhooks,):\n",
        Place(FAULTS, "voucher-never-paid", 175),
    ),
    Mutant(
        "signature-not-checked",
        "an event counts whoever has signed it",
        "riel/gateways/simulator_events.py",
        "    verify(headers.get(SIGNATURE_HEADER), body, secrets, now)\n",
        "",
        Place(scenario="event-forged"),
    ),
    Mutant(
        "event-again-over-itself",
        "an event that comes again is stored as new",
        "riel/store/inbox.py",
        '                ConditionExpression="attribute_not_exists(pk)",\n',
        '                ConditionExpression="attribute_not_exists(done)'
        ' OR attribute_exists(pk)",\n',
        Place(scenario="event-repeated"),
    ),
)
