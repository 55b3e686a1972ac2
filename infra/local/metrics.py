"""Publishes the metrics that AWS makes by itself and the engine does not.

SQS on the engine counts messages but publishes nothing, so a deployed alarm on a queue would
never change. Zeros are published too: an alarm goes back to OK on data, not on silence.
"""

from __future__ import annotations

import logging
import threading
import time
import urllib.parse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.aws import Aws
from infra.local.inspection import read_json

if TYPE_CHECKING:
    from types_boto3_cloudwatch.literals import StandardUnitType
    from types_boto3_cloudwatch.type_defs import MetricDatumTypeDef

logger = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 1.0
# What has not changed is published less often: well within an alarm's period of a minute.
_UNCHANGED_PERIODS: Final = 5
_DEPTHS: Final = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}

Depths = dict[str, dict[str, int]]


class IteratorAges:
    """The age in seconds of the last record of each batch, the oldest of a period counts."""

    def __init__(self) -> None:
        self._ages: dict[str, float] = {}
        self._lock = threading.Lock()

    def observe(self, function_name: str, age_seconds: float) -> None:
        """Note the age of a batch as it is handed to the function."""
        with self._lock:
            self._ages[function_name] = max(self._ages.get(function_name, 0.0), age_seconds)

    def take(self) -> dict[str, float]:
        """Return the oldest age for each function since the last call; 0 when nothing came."""
        with self._lock:
            taken = dict(self._ages)
            self._ages = dict.fromkeys(taken, 0.0)
            return taken


class MetricPublisher:
    """Publishes queue depths and ages (AWS/SQS) and iterator ages (AWS/Lambda) every second."""

    def __init__(self, aws: Aws, ages: IteratorAges) -> None:
        self._aws = aws
        self._ages = ages
        self._published: Depths = {}
        self._periods = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to publish in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop publishing."""
        self._stopping.set()
        self._thread.join(timeout=2)

    def publish(self) -> None:
        """Publish what changed, and every few seconds everything."""
        depths = queue_depths(self._aws)
        ages = self._ages.take()
        is_due = self._periods % _UNCHANGED_PERIODS == 0
        self._periods += 1
        changed = {n: d for n, d in depths.items() if is_due or d != self._published.get(n)}
        self._published = depths
        data = [datum for name, depth in changed.items() for datum in _queue_data(name, depth)]
        if is_due:
            data += [_queue_age(self._aws, name) for name, d in depths.items() if any(d.values())]
            data += [_no_age(name) for name, d in depths.items() if not any(d.values())]
        self._put("AWS/SQS", data)
        self._put("AWS/Lambda", [_iterator_age(n, a) for n, a in ages.items() if is_due or a])

    def _put(self, namespace: str, data: list[MetricDatumTypeDef]) -> None:
        if data:
            self._aws.cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    def _run(self) -> None:
        while not self._stopping.wait(_PERIOD_SECONDS):
            try:
                self.publish()
            except (BotoCoreError, ClientError, OSError) as error:
                logger.warning("metrics: %s", error)


def queue_depths(aws: Aws) -> Depths:
    """Return the depths of every queue by its name, under the names of SQS's metrics."""
    urls: Iterable[str] = aws.queues.list_queues().get("QueueUrls", [])
    depths: Depths = {}
    for url in urls:
        attributes = aws.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        counts = attributes["Attributes"]
        depths[url.rsplit("/", 1)[-1]] = {
            metric: int(counts.get(attribute, "0"))  # type: ignore[call-overload]
            for attribute, metric in _DEPTHS.items()
        }
    return depths


def _queue_data(name: str, depth: dict[str, int]) -> list[MetricDatumTypeDef]:
    return [_datum(metric, "QueueName", name, count, "Count") for metric, count in depth.items()]


def _queue_age(aws: Aws, name: str) -> MetricDatumTypeDef:
    """Age of the oldest message; only the engine's own inspection tells when it was sent."""
    query = urllib.parse.urlencode({"QueueUrl": f"{aws.endpoint}/000000000000/{name}"})
    accounts = read_json(f"{aws.endpoint}/_ministack/sqs/messages?{query}")["messages"]
    sent = [
        message["SentTimestamp"]
        for regions in accounts.values()
        for queues in regions.values()
        for messages in queues.values()
        for message in messages
    ]
    age = max(0.0, time.time() - min(sent)) if sent else 0.0
    return _datum("ApproximateAgeOfOldestMessage", "QueueName", name, age, "Seconds")


def _no_age(name: str) -> MetricDatumTypeDef:
    return _datum("ApproximateAgeOfOldestMessage", "QueueName", name, 0, "Seconds")


def _iterator_age(function_name: str, age_seconds: float) -> MetricDatumTypeDef:
    milliseconds = max(0.0, age_seconds) * 1000
    return _datum("IteratorAge", "FunctionName", function_name, milliseconds, "Milliseconds")


def _datum(
    metric: str, dimension: str, name: str, value: float, unit: StandardUnitType
) -> MetricDatumTypeDef:
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": name}],
        "Value": value,
        "Unit": unit,
    }
