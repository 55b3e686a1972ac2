"""What merchants are told."""

from __future__ import annotations

from tests.simulation.mutants.mutant import Mutant, Place

TELLING = (
    Mutant(
        "delivered-before-sent",
        "a webhook is noted as delivered so that it can not be sent twice, then sent",
        "riel/services/deliver_webhook.py",
        "    answer, seconds_taken = _send(app, admission, destination, headers, body.encode())\n",
        "    app.deliveries.save(delivery, replace(delivery, state=DELIVERED))\n"
        "    answer, seconds_taken = _send(app, admission, destination, headers, body.encode())\n",
        Place(scenario="card-completed"),
    ),
    Mutant(
        "any-answer-delivers",
        "an endpoint that answers has taken the webhook, whatever it says",
        "riel/services/deliver_webhook.py",
        "    if answer.is_success:\n        return replace(tried, state=DELIVERED",
        "    if answer.status:\n        return replace(tried, state=DELIVERED",
        Place(scenario="webhook-fails-first"),
    ),
    Mutant(
        "retry-with-a-new-id",
        "each attempt at a webhook has an id of its own",
        "riel/services/deliver_webhook.py",
        "    headers = signing.headers(secrets, delivery.event_id, at, body)\n",
        '    webhook_id = delivery.event_id + str(delivery.tries or "")\n'
        "    headers = signing.headers(secrets, webhook_id, at, body)\n",
        Place(scenario="webhook-fails-first"),
    ),
    Mutant(
        "retry-with-a-new-body",
        "a webhook that is sent again tells of the payment as it is by then",
        "riel/services/deliver_webhook.py",
        '    return event.body if event else ""\n',
        "    from riel.domain.events import merchant_body\n"
        "    payment = app.payments.get(delivery.payment_id)\n"
        '    return merchant_body(delivery.type, payment) if event and payment else ""\n',
    ),
    Mutant(
        "stopped-unlisted",
        "an endpoint that gets nothing any more is in no list of such",
        "riel/store/endpoints.py",
        '        "due_pk": due_pk,\n        "due_sk": due_sk,\n',
        "",
        Place(scenario="webhook-gone"),
    ),
    Mutant(
        "failing-is-stopped",
        "an endpoint that has failed is taken for one that was stopped",
        "riel/services/deliver_webhook.py",
        "    if endpoint.is_stopped and not delivery.is_asked_for:\n",
        "    if (endpoint.is_stopped or endpoint.failing_since) and not delivery.is_asked_for:\n",
        Place(scenario="webhook-fails-first"),
    ),
    Mutant(
        "hold-in-no-index",
        "a webhook that is held for its host stands nowhere, and its message is done with",
        "riel/services/deliver_webhook.py",
        "    app.deliveries.save(delivery, replace(delivery, next_at=due_at, due_at=due_at))\n",
        "    app.deliveries.save(delivery, replace(delivery, next_at=due_at))\n",
        Place(scenario="webhook-hosts-hang"),
    ),
    Mutant(
        "turn-not-checked",
        "a delivery is written over what another attempt has written",
        "riel/store/deliveries.py",
        '            request["ConditionExpression"] = "turn = :read AND attempt_count = :seen"\n',
        '            request["ConditionExpression"] = "turn >= :read AND attempt_count >= :seen"\n',
    ),
)
