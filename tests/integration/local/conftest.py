"""One engine with the sample stack for the tests of this folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.local.deployment import deploy
from infra.local.engine import Engine, start_engine
from infra.local.listeners import internal_listener, port_of, product_listeners
from infra.local.metrics import IteratorAges, MetricPublisher
from infra.local.stream_mappings import StreamMappings
from tests.integration.local.sample_stack import sample_assembly


@dataclass
class SampleStage:
    """The engine with the sample stack, polled as the local stage polls."""

    engine: Engine
    aws: Aws
    api: str
    api_id: str
    ages: IteratorAges

    def queue_url(self, name: str) -> str:
        return self.aws.queues.get_queue_url(QueueName=name)["QueueUrl"]

    def send(self, queue: str, body: dict[str, Any], **options: Any) -> None:
        url = self.queue_url(queue)
        self.aws.queues.send_message(QueueUrl=url, MessageBody=json.dumps(body), **options)

    def receive_until(
        self, queue: str, is_enough: Callable[[list[str]], bool], seconds: float = 60
    ) -> list[str]:
        """Receive and delete bodies until there are enough, or fail."""
        bodies: list[str] = []
        url = self.queue_url(queue)
        deadline = time.monotonic() + seconds
        while not is_enough(bodies):
            assert time.monotonic() < deadline, f"{queue} holds only {bodies}"
            answer = self.aws.queues.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in answer.get("Messages", []):
                bodies.append(message["Body"])
                self.aws.queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def put_events(self, *events: tuple[str, str]) -> None:
        """Write one item for each (key, what the relay shall do) in one transaction."""
        self.aws.dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "events", "Item": {"pk": {"S": key}, "do": {"S": do}}}}
                for key, do in events
            ]
        )


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, int]]:
    product, aws_listener = product_listeners(0), internal_listener(0)
    port = port_of(product[0])
    log_file = tmp_path_factory.mktemp("logs") / "engine.log"
    engine = start_engine(product, aws_listener, log_file)
    for listener in [*product, aws_listener]:
        listener.close()
    try:
        engine.wait_until_ready()
        yield engine, port
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def stage(
    engine: tuple[Engine, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SampleStage]:
    running, port = engine
    aws = Aws(running.endpoint)
    outputs = deploy(aws, sample_assembly(tmp_path_factory.mktemp("sample")), {})
    ages = IteratorAges()
    streams, metrics = StreamMappings(aws, ages.observe), MetricPublisher(aws, ages)
    streams.start()
    metrics.start()
    running.publish(outputs["ApiId"])
    yield SampleStage(running, aws, f"http://localhost:{port}", outputs["ApiId"], ages)
    metrics.stop()
    streams.stop()
