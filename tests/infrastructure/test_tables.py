"""What is written is kept."""

from __future__ import annotations

from infra.names import SIMULATOR, TABLES, Names
from infra.stages import SimulatorPlace, Stage
from riel.domain.payment import NextAction
from riel.store.payment_items import write_payment
from tests.builders import NOON, make_payment
from tests.infrastructure.templates import Resource, Templates


def test_the_tables_are_those_that_the_operator_knows(templates: Templates, stage: Stage) -> None:
    names = Names(stage.name)
    expected = {names.table(name) for name in TABLES}
    if stage.simulator is SimulatorPlace.FUNCTION:
        expected.add(names.table(SIMULATOR))
    assert set(templates.tables()) == expected


def test_every_table_is_on_demand_encrypted_and_restorable(templates: Templates) -> None:
    for table in templates.tables().values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {"SSEEnabled": True}
        recovery = table["PointInTimeRecoverySpecification"]
        assert recovery["PointInTimeRecoveryEnabled"] is True


def test_production_keeps_its_tables_whatever_happens_to_the_stack(prod: Templates) -> None:
    for resource in prod.resources.values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            assert resource["Properties"]["DeletionProtectionEnabled"] is True
            assert resource["DeletionPolicy"] == "Retain"
            assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_outbox_alone_has_a_stream(templates: Templates) -> None:
    outbox = Names(templates.stage).table("outbox")
    streams = {n: t["StreamSpecification"] for n, t in _having(templates, "StreamSpecification")}
    assert streams == {outbox: {"StreamViewType": "NEW_IMAGE"}}


def test_no_table_forgets_but_those_of_passing_things(templates: Templates) -> None:
    # Of the payments table, only what came from a gateway's webhook has the attribute.
    names = map(Names(templates.stage).table, ("payments", "outbox", "idempotency", "limits"))
    forgetful = dict(_having(templates, "TimeToLiveSpecification"))
    assert set(forgetful) == set(names)
    for table in forgetful.values():
        setting = table["TimeToLiveSpecification"]
        assert setting == {"AttributeName": "expires_at", "Enabled": True}


def _having(templates: Templates, setting: str) -> list[tuple[str, Resource]]:
    return [(name, table) for name, table in templates.tables().items() if setting in table]


def test_the_indexes_of_payments_copy_keys_only(templates: Templates) -> None:
    payments = templates.tables()[Names(templates.stage).table("payments")]
    indexes = {index["IndexName"]: index for index in payments["GlobalSecondaryIndexes"]}
    assert set(indexes) == {"listing", "due"}
    for name, index in indexes.items():
        assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
        keys = [key["AttributeName"] for key in index["KeySchema"]]
        assert keys == [f"{name}_pk", f"{name}_sk"]


def test_a_payment_carries_no_time_to_live() -> None:
    """The table forgets an item with a number in `expires_at`: never a payment, nor a refund."""
    action = NextAction("oxxo_voucher", expires_at=NOON, reference="00000000000000")
    item = write_payment(make_payment(next_action=action))
    assert "next_action" in item
    assert "expires_at" not in item
