"""The secret by which a gateway signs its events; the gateway and we hold the same one."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.components.findings import SOLUTIONS, accept
from infra.names import Names
from infra.stages import Stage

_LENGTH = 48


class GatewaySecret(secretsmanager.Secret):
    """A random text of letters and digits that CloudFormation makes and nobody has to see."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, gateway: str) -> None:
        super().__init__(
            scope,
            construct_id,
            secret_name=Names(stage.name).secret(gateway),
            description=f"By which the gateway {gateway} signs the events that it sends us",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=_LENGTH, exclude_punctuation=True
            ),
            removal_policy=RemovalPolicy.RETAIN if stage.protects_data else RemovalPolicy.DESTROY,
        )
        accept(
            self,
            "Both sides change it together, so a person rotates it: the runbook says how, and the "
            "one before is accepted for a day.",
            f"{SOLUTIONS}SMG4",
        )

    # CDK's own grant also allows describing it.
    def grant_values_to(self, grantee: iam.IGrantable) -> None:
        """Allow reading the values of this secret alone."""
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["secretsmanager:GetSecretValue"],
            resource_arns=[self.secret_arn],
        )
