"""Which payments have a message in a dead-letter queue."""

from __future__ import annotations

import json

from infra.local.aws import Aws

_ROUNDS_WITHOUT_NEWS = 2


def payments_in_dead_letters(aws: Aws, stage: str = "local") -> set[str]:
    """Look at every dead letter of the payments' queues, and leave it there."""
    queues = aws.queues.list_queues(QueueNamePrefix=f"riel-{stage}-payments").get("QueueUrls", [])
    return {
        payment_id for url in queues if url.endswith("-dlq") for payment_id in _payments(aws, url)
    }


def count_dead_letters(aws: Aws, stage: str = "local") -> int:
    """Count the dead letters of every queue, those that somebody looks at included."""
    urls = aws.queues.list_queues(QueueNamePrefix=f"riel-{stage}-").get("QueueUrls", [])
    return sum(_depth(aws, url) for url in urls if url.endswith("-dlq"))


def _depth(aws: Aws, url: str) -> int:
    told = aws.queues.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return sum(int(depth) for depth in told.values())


def _payments(aws: Aws, url: str) -> set[str]:
    found: set[str] = set()
    without_news = 0
    while without_news < _ROUNDS_WITHOUT_NEWS:
        answer = aws.queues.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=2
        )
        bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        news = {body["payment_id"] for body in bodies if "payment_id" in body} - found
        without_news = 0 if news else without_news + 1
        found |= news
    return found
