"""The models of SQS, KMS and Secrets Manager say what the embedded engine says, and moto."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from riel.errors import StoreUnavailableError
from riel.store.queues import Queue
from riel.store.secret_box import SecretBox
from riel.store.secrets import SecretStore
from tests.builders import CONFIG, NOON

Client = Callable[[str], Any]


@pytest.fixture(params=["model", "moto", pytest.param("engine", marks=pytest.mark.engine)])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Makes a client of a service."""
    if request.param == "moto":
        with mock_aws():
            _create_webhook_key(boto3.client("kms"))
            made: Client = boto3.client  # type: ignore[assignment]
            yield made
    elif request.param == "engine":
        yield request.getfixturevalue("engine_aws").client
    else:
        request.getfixturevalue("aws")
        yield request.getfixturevalue("app").client


def _create_webhook_key(kms: Any) -> None:
    # For a symmetric key moto makes an RSA key that nobody uses, in a tenth of a second.
    key = kms.create_key(KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=CONFIG.webhook_key, TargetKeyId=key)


@pytest.fixture
def queue(client: Client) -> Queue:
    sqs = client("sqs")
    return Queue(sqs, sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"])


def test_what_is_received_is_hidden_until_it_is_given_back_or_deleted(queue: Queue) -> None:
    queue.send({"n": 1})
    (first,) = queue.receive(60)
    assert queue.receive(60) == []
    assert queue.depth() == {"visible": 0, "in_flight": 1, "delayed": 0}

    queue.give_back(first.receipt, 0)
    (again,) = queue.receive(60)
    queue.delete(again.receipt)

    assert (again.message_id, again.body) == (first.message_id, '{"n":1}')
    assert again.attributes["ApproximateReceiveCount"] == "2"
    assert queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 0}


def test_a_delayed_message_is_counted_and_not_received(queue: Queue) -> None:
    queue.send({}, delay_seconds=600)

    assert queue.receive(60) == []
    assert queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 1}


def test_a_batch_is_sent_as_a_whole_and_received_in_tens(queue: Queue) -> None:
    assert queue.send_many([{"n": n} for n in range(12)]) == set()

    assert len(queue.receive(60)) == 10
    assert len(queue.receive(60)) == 2


def test_what_no_xml_may_hold_is_no_message(queue: Queue, request: pytest.FixtureRequest) -> None:
    if "moto" in request.node.name:
        pytest.skip("moto takes any text")
    with pytest.raises(StoreUnavailableError, match="InvalidMessageContents"):
        queue.send_text("\x00")


def test_a_queue_that_does_not_exist_is_told_of(queue: Queue, client: Client) -> None:
    with pytest.raises(StoreUnavailableError, match=r"QueueDoesNotExist|NonExistentQueue"):
        Queue(client("sqs"), queue.url + "-not").send({})


def test_what_is_sealed_opens_in_its_own_context_alone(client: Client) -> None:
    box = SecretBox(client("kms"), CONFIG.webhook_key)

    sealed = box.seal("secret", "demo")

    assert "secret" not in sealed
    assert box.open(sealed, "demo") == "secret"
    for refused, merchant in ((sealed, "other"), ("AAAA", "demo")):
        with pytest.raises(StoreUnavailableError, match="InvalidCiphertextException"):
            box.open(refused, merchant)
    with pytest.raises(StoreUnavailableError, match="NotFoundException"):
        SecretBox(client("kms"), "alias/none").seal("secret", "demo")


def test_a_secret_has_the_version_before_after_it_was_put_again(client: Client) -> None:
    manager, name = client("secretsmanager"), uuid.uuid4().hex
    manager.create_secret(Name=name, SecretString="first")
    before = SecretStore(manager).read(name, NOON)
    manager.put_secret_value(SecretId=name, SecretString="second")

    after = SecretStore(manager).read(name, before.since)

    assert (before.current, before.previous) == ("first", None)
    assert (after.current, after.previous) == ("second", "first")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        manager.get_secret_value(SecretId=name + "-not")
