"""What is written is kept."""

from __future__ import annotations

from infra.names import SIMULATOR, TABLES, Names
from infra.stages import SimulatorPlace, Stage
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
    names = map(Names(templates.stage).table, ("outbox", "idempotency", "limits"))
    forgetful = dict(_having(templates, "TimeToLiveSpecification"))
    assert set(forgetful) == set(names)
    for table in forgetful.values():
        setting = table["TimeToLiveSpecification"]
        assert setting == {"AttributeName": "expires_at", "Enabled": True}


def _having(templates: Templates, setting: str) -> list[tuple[str, Resource]]:
    return [(name, table) for name, table in templates.tables().items() if setting in table]


def test_the_listing_index_copies_keys_only(templates: Templates) -> None:
    payments = templates.tables()[Names(templates.stage).table("payments")]
    (index,) = payments["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "listing"
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["listing_pk", "listing_sk"]
