"""A DynamoDB table as this system needs it, with grants that name one action and one resource."""

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.components.findings import SOLUTIONS, accept
from infra.components.python_function import PythonFunction
from infra.names import Names
from infra.stages import Stage

READ = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
WRITE = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem")
"""What a transaction may hold; nothing in Riel deletes an item of business, only TTL does."""
STORED_ANSWERS = tuple(f"dynamodb:{verb}Item" for verb in ("Get", "Put", "Update", "Delete"))
"""What Powertools idempotency does with its records; one whose request failed is deleted."""
READ_STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")


class Table(dynamodb.Table):
    """On demand, encrypted, restorable to any second of the last 35 days."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        name: str,
        sort_key: bool = False,
        time_to_live: str | None = None,
        stream: dynamodb.StreamViewType | None = None,
    ) -> None:
        self._name = Names(stage.name).table(name)
        super().__init__(
            scope,
            construct_id,
            table_name=self._name,
            partition_key=_text("pk"),
            sort_key=_text("sk") if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=stage.protects_data,
            removal_policy=RemovalPolicy.RETAIN if stage.protects_data else RemovalPolicy.DESTROY,
            time_to_live_attribute=time_to_live,
            stream=stream,
        )

    def add_keys_only_index(self, name: str) -> None:
        """An index over ``<name>_pk`` and ``<name>_sk`` that costs one write unit per change."""
        self.add_global_secondary_index(
            index_name=name,
            partition_key=_text(f"{name}_pk"),
            sort_key=_text(f"{name}_sk"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    # CDK's grant_read_write_data also allows scans, deletes, the stream and `index/*`.
    def grant_items(self, grantee: iam.IGrantable, *actions: str) -> None:
        """Allow these actions on the items of this table alone."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.table_arn]
        )

    def grant_index_query(self, grantee: iam.IGrantable, index: str) -> None:
        """Allow queries of one index."""
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["dynamodb:Query"],
            resource_arns=[f"{self.table_arn}/index/{index}"],
        )

    def grant_stream_to(self, function: PythonFunction) -> None:
        """Allow reading the stream. CDK's own grant allows listing every table's streams."""
        if self.table_stream_arn is None:
            raise ValueError(f"{self._name} has no stream")
        iam.Grant.add_to_principal(
            grantee=function, actions=list(READ_STREAM), resource_arns=[self.table_stream_arn]
        )
        # By name: cdk-nag's finding repeats the resource, and has to be known before deployment.
        streams = f"table/{self._name}/stream/*"
        iam.Grant.add_to_principal(
            grantee=function,
            actions=["dynamodb:ListStreams"],
            resource_arns=[f"arn:aws:dynamodb:{Aws.REGION}:{Aws.ACCOUNT_ID}:{streams}"],
        )
        accept(
            function.execution_role,
            "ListStreams names a table, not a stream: IAM knows it as all streams of that table.",
            f"{SOLUTIONS}IAM5[Resource::arn:aws:dynamodb:<AWS::Region>:<AWS::AccountId>:{streams}]",
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
