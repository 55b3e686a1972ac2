"""Reads synthesized templates: resources by type, and references resolved to names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Resource = dict[str, Any]


class Templates:
    """Both templates of a stage as one; logical ids are unique across the two."""

    def __init__(self, stage: str, files: list[Path]) -> None:
        self.stage = stage
        self.documents = [json.loads(file.read_text()) for file in files]
        self.resources: dict[str, Resource] = {
            f"{number}/{logical_id}": resource
            for number, document in enumerate(self.documents)
            for logical_id, resource in document["Resources"].items()
        }

    def of_type(self, kind: str) -> dict[str, Resource]:
        """Properties of the resources of a type, by logical id."""
        return {
            logical_id.split("/")[1]: resource["Properties"]
            for logical_id, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def named(self, kind: str, key: str) -> dict[str, Resource]:
        """Properties of the resources of a type, by a property that names them."""
        return {properties[key]: properties for properties in self.of_type(kind).values()}

    def functions(self) -> dict[str, Resource]:
        """Lambda functions by name."""
        return self.named("AWS::Lambda::Function", "FunctionName")

    def queues(self) -> dict[str, Resource]:
        """SQS queues by name."""
        return self.named("AWS::SQS::Queue", "QueueName")

    def alarms(self) -> dict[str, Resource]:
        """CloudWatch alarms by name."""
        return self.named("AWS::CloudWatch::Alarm", "AlarmName")

    def tables(self) -> dict[str, Resource]:
        """DynamoDB tables by name."""
        return self.named("AWS::DynamoDB::Table", "TableName")

    def queue_mappings(self) -> dict[str, Resource]:
        """Event source mappings of queues by the name of their queue."""
        return {
            self.queue_named_by(mapping["EventSourceArn"])["QueueName"]: mapping
            for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values()
            if "ScalingConfig" in mapping
        }

    def stream_mapping(self) -> Resource:
        """The event source mapping of the one stream."""
        mappings = self.of_type("AWS::Lambda::EventSourceMapping").values()
        (mapping,) = (m for m in mappings if "StartingPosition" in m)
        return mapping

    def function_named_by(self, reference: Any) -> str:
        """The name of the function that an ARN in the template refers to."""
        functions = self.of_type("AWS::Lambda::Function")
        return str(functions[logical_id_of(reference)]["FunctionName"])

    def statements(self) -> Iterator[tuple[str, Resource]]:
        """Every statement of every identity policy, with the policy's logical id."""
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for logical_id, policy in self.of_type(kind).items():
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield logical_id, statement

    def queue_named_by(self, reference: Any) -> Resource:
        """The queue that an ARN or URL in the template refers to."""
        return self.of_type("AWS::SQS::Queue")[logical_id_of(reference)]


def logical_id_of(reference: Any) -> str:
    """The logical id behind a Ref or a GetAtt."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


def as_list(value: Any) -> list[Any]:
    """IAM writes one action or resource without a list."""
    return value if isinstance(value, list) else [value]
