"""DynamoDB clients whose batches leave out what was asked for, as AWS's may."""

from __future__ import annotations

from typing import Any


class PartialReads:
    """A DynamoDB that reads one key of each batch and gives the rest back, for so many calls."""

    def __init__(self, dynamodb: Any, partial_answers: int) -> None:
        self._dynamodb = dynamodb
        self._left = partial_answers
        self.asked: list[int] = []
        self.consistent: list[bool] = []

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's name
        self.consistent.append(RequestItems["payments"]["ConsistentRead"])
        keys = RequestItems["payments"]["Keys"]
        self.asked.append(len(keys))
        if self._left == 0:
            return self._dynamodb.batch_get_item(RequestItems=RequestItems)
        self._left -= 1
        first = {"payments": {**RequestItems["payments"], "Keys": keys[:1]}}
        rest = {"payments": {**RequestItems["payments"], "Keys": keys[1:]}}
        return {**self._dynamodb.batch_get_item(RequestItems=first), "UnprocessedKeys": rest}


class OldReads:
    """A DynamoDB whose cheap reads do not know a payment yet."""

    def __init__(self, dynamodb: Any, unknown: str) -> None:
        self._dynamodb = dynamodb
        self._unknown = unknown

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's name
        answer = self._dynamodb.batch_get_item(RequestItems=RequestItems)
        if not RequestItems["payments"]["ConsistentRead"]:
            items = answer["Responses"]["payments"]
            answer["Responses"]["payments"] = [i for i in items if i["pk"]["S"] != self._unknown]
        return answer
