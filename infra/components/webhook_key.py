"""The key under which merchants' webhook secrets are sealed: one for all merchants of a stage."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.names import Names
from infra.stages import Stage


class WebhookKey(kms.Key):
    """Renewed every year by KMS, which keeps what older secrets were sealed under.

    Without it no webhook of the stage can be signed, so it is kept like the tables.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        kept = RemovalPolicy.RETAIN if stage.protects_data else RemovalPolicy.DESTROY
        super().__init__(
            scope,
            construct_id,
            description=f"Seals the webhook secrets of merchants of the stage {stage.name}",
            enable_key_rotation=True,
            pending_window=Duration.days(30 if stage.protects_data else 7),
            removal_policy=kept,
        )
        self.add_alias(Names(stage.name).webhook_key).apply_removal_policy(kept)

    # CDK's own grant would also write the role into the key's policy.
    def grant_open_to(self, grantee: iam.IGrantable) -> None:
        """Allow opening what was sealed for a merchant, and nothing that was sealed otherwise."""
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[self.key_arn],
                conditions={"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "merchant"}},
            )
        )
