"""Findings of cdk-nag that we accept: each stands beside what causes it, with its reason."""

import aws_cdk as cdk
from constructs import Construct

SOLUTIONS = "AwsSolutions::AwsSolutions-"
SERVERLESS = "Serverless::Serverless-"


def accept(construct: Construct, reason: str, *rules: str) -> None:
    """Let these rules pass for the construct and what it is made of."""
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason=reason) for rule in rules)
    )
