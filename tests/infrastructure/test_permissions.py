"""Each function may do what it does, to what it does it to, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.stages import SimulatorPlace, Stage
from tests.infrastructure.templates import Templates, as_list, logical_id_of

# The only statements with a star, and why each can not do without.
JUSTIFIED_WILDCARDS = {
    # X-Ray takes segments from any function: these actions know no resources.
    ("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    # ListStreams names a table, which IAM knows as all streams of that one table.
    ("dynamodb:ListStreams",),
}

WRITES = {"PutItem", "UpdateItem", "ConditionCheckItem"}


def test_no_policy_has_a_wildcard_beyond_the_justified(templates: Templates) -> None:
    for policy, statement in templates.statements():
        actions = tuple(as_list(statement["Action"]))
        assert "NotAction" not in statement, policy
        assert "NotResource" not in statement, policy
        assert not any("*" in action for action in actions), policy
        if actions not in JUSTIFIED_WILDCARDS:
            assert "*" not in json.dumps(statement["Resource"]), (policy, actions)


def test_listing_streams_is_limited_to_the_outbox(templates: Templates) -> None:
    (statement,) = (
        statement
        for _, statement in templates.statements()
        if statement["Action"] == "dynamodb:ListStreams"
    )
    assert f"table/riel-{templates.stage}-outbox/stream/*" in json.dumps(statement["Resource"])


def test_no_role_has_a_policy_that_aws_manages(templates: Templates) -> None:
    for role in templates.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role


def test_each_function_has_a_role_of_its_own(templates: Templates) -> None:
    roles = [json.dumps(function["Role"]) for function in templates.functions().values()]
    assert len(roles) == len(set(roles))


@pytest.mark.parametrize(
    ("function", "tables"),
    [
        ("Api", {"Payments", "Outbox", "Merchants", "Idempotency", "Limits"}),
        ("GatewayWebhooks", {"Payments"}),
        ("OutboxRelay", {"Outbox"}),
        ("Processor", {"Payments", "Outbox", "Merchants", "Limits"}),
        ("Sweeper", {"Payments", "Outbox", "Limits"}),
        ("WebhookSender", {"Payments", "Outbox", "Merchants", "Limits"}),
    ],
)
def test_each_function_reaches_only_its_tables(
    templates: Templates, function: str, tables: set[str]
) -> None:
    reached = {
        table
        for statement in _allowed(templates, function, "dynamodb:")
        for table in ("Payments", "Outbox", "Merchants", "Idempotency", "Limits", "Simulator")
        if f"GetAtt{table}" in json.dumps(statement["Resource"])
    }
    assert reached == tables


def test_nobody_deletes_or_scans_payments(templates: Templates) -> None:
    for _, statement in templates.statements():
        if "Payments" in json.dumps(statement["Resource"]):
            assert not {"dynamodb:DeleteItem", "dynamodb:Scan"} & set(as_list(statement["Action"]))


def test_the_outbox_is_only_ever_added_to(templates: Templates) -> None:
    for function in ("Api", "Processor"):
        (statement,) = (
            s
            for s in _allowed(templates, function, "dynamodb:")
            if "GetAttOutbox" in json.dumps(s["Resource"])
        )
        assert statement["Action"] == "dynamodb:PutItem"


@pytest.mark.parametrize(
    ("function", "table", "actions"),
    [
        ("Api", "Limits", {"GetItem", "UpdateItem"}),
        ("Processor", "Limits", {"UpdateItem"}),
        ("Processor", "Merchants", {"GetItem"}),
        ("GatewayWebhooks", "Payments", {"GetItem", "PutItem", "UpdateItem"}),
        ("Sweeper", "Payments", {"GetItem", "BatchGetItem", "Query", "UpdateItem"}),
        ("Sweeper", "Outbox", {"Query"}),
        ("Sweeper", "Limits", {"GetItem", "PutItem", "UpdateItem"}),
        ("WebhookSender", "Payments", {"GetItem", "BatchGetItem", "Query", *WRITES}),
        ("WebhookSender", "Outbox", {"GetItem"}),
        ("WebhookSender", "Merchants", {"GetItem"}),
        ("WebhookSender", "Limits", {"GetItem", "UpdateItem"}),
        ("Api", "Idempotency", {"GetItem", "PutItem", "UpdateItem", "DeleteItem"}),
    ],
)
def test_what_passes_by_is_touched_as_little_as_what_stays(
    templates: Templates, function: str, table: str, actions: set[str]
) -> None:
    allowed = {
        action
        for statement in _allowed(templates, function, "dynamodb:")
        if f"GetAtt{table}" in json.dumps(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert allowed == {f"dynamodb:{action}" for action in actions}


@pytest.mark.parametrize(
    ("function", "queues"),
    [
        ("Api", {"WebhooksQueue"}),
        ("GatewayWebhooks", {"GatewayEventsQueue"}),
        ("OutboxRelay", {"PaymentsQueue", "PaymentsStandbyQueue", "WebhooksQueue"}),
        ("Processor", {"PaymentsQueue", "PaymentsStandbyQueue", "GatewayEventsQueue"}),
        ("WebhookSender", {"WebhooksQueue", "WebhooksQueueDeadLetters"}),
        (
            "Sweeper",
            {"PaymentsQueue", "PaymentsStandbyQueue", "GatewayEventsQueue", "WebhooksQueue"},
        ),
    ],
)
def test_each_function_sends_only_to_its_queues(
    templates: Templates, stage: Stage, function: str, queues: set[str]
) -> None:
    reached = {
        # CDK ends a logical id with eight hexadecimal digits.
        logical_id_of(resource)[:-8]
        for statement in _allowed(templates, function, "sqs:")
        if "sqs:SendMessage" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    if not stage.gateway_queues:
        queues = queues - {"PaymentsStandbyQueue"}
    # The relay's own failures are sent by Lambda, in its name.
    assert reached - {"OutboxRelayDeadLetters"} == queues


def test_only_the_two_sides_of_a_gateway_read_its_secret(
    templates: Templates, stage: Stage
) -> None:
    readers = {
        policy.split("Role")[0]: (statement["Action"], json.dumps(statement["Resource"]))
        for policy, statement in templates.statements()
        if as_list(statement["Action"])[0].startswith("secretsmanager:")
    }
    expected = {
        SimulatorPlace.NONE: set(),
        SimulatorPlace.PARAMETER: {"GatewayWebhooks"},
        SimulatorPlace.FUNCTION: {"GatewayWebhooks", "Simulator"},
    }
    assert set(readers) == expected[stage.simulator]
    for action, resource in readers.values():
        assert action == "secretsmanager:GetSecretValue"
        assert "SimulatorSecret" in resource


def test_the_webhook_sender_alone_opens_secrets_and_only_those_of_merchants(
    templates: Templates,
) -> None:
    """The API takes a merchant's webhooks and can not sign one."""
    openers = [
        (policy, statement)
        for policy, statement in templates.statements()
        if any(action.startswith("kms:") for action in as_list(statement["Action"]))
    ]
    ((policy, statement),) = openers
    assert policy.startswith("WebhookSenderRole")
    assert statement["Action"] == "kms:Decrypt"
    assert "GetAttWebhookKey" in statement["Resource"]["Fn::ImportValue"]
    assert statement["Condition"] == {
        "ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "merchant"}
    }


def test_the_processor_may_ask_how_long_its_queue_is(templates: Templates) -> None:
    allowed = [
        statement
        for statement in _allowed(templates, "Processor", "sqs:")
        if "sqs:GetQueueAttributes" in as_list(statement["Action"])
    ]
    assert "PaymentsQueue" in json.dumps([statement["Resource"] for statement in allowed])


def test_calling_the_simulators_url_takes_both_permissions(dev: Templates) -> None:
    """Since October 2025 a function URL asks for InvokeFunction beside InvokeFunctionUrl."""
    actions = {s["Action"]: s["Condition"] for s in _allowed(dev, "Processor", "lambda:")}
    assert actions == {
        "lambda:InvokeFunctionUrl": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        "lambda:InvokeFunction": {"Bool": {"lambda:InvokedViaFunctionUrl": True}},
    }


def _allowed(templates: Templates, function: str, service: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy, statement in templates.statements()
        if policy.startswith(f"{function}Role")
        and as_list(statement["Action"])[0].startswith(service)
    ]
