"""boto3 clients for the embedded engine: made once each, of one session, with fixed credentials.

Nothing of the user's AWS configuration is read: the credentials are the engine's, and every
client is bound to the engine's endpoint.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import boto3
import botocore.session
from botocore.config import Config

from infra.local.engine import REGION

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# Longer than any function may run, and no silent second try: an invocation has effects.
_CONFIG = Config(
    read_timeout=120,
    connect_timeout=5,
    retries={"total_max_attempts": 1},
    max_pool_connections=32,
    parameter_validation=False,
)


class Aws:
    """The clients of one engine. Safe to share between threads."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        core = botocore.session.Session()
        # Keeps the user's ~/.aws out, whatever it holds.
        core.set_config_variable("config_file", "/dev/null")
        core.set_config_variable("credentials_file", "/dev/null")
        self._session = boto3.session.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
            botocore_session=core,
        )
        self._clients: dict[str, Any] = {}
        # Sessions are not safe to make clients from in parallel; the clients are.
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the client of a service by its boto3 name."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service, endpoint_url=self.endpoint, config=_CONFIG
                )
            return self._clients[service]

    @property
    def cloudformation(self) -> CloudFormationClient:
        """The client of CloudFormation."""
        return cast("CloudFormationClient", self.client("cloudformation"))

    @property
    def cloudwatch(self) -> CloudWatchClient:
        """The client of CloudWatch."""
        return cast("CloudWatchClient", self.client("cloudwatch"))

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The client of DynamoDB."""
        return cast("DynamoDBClient", self.client("dynamodb"))

    @property
    def streams(self) -> DynamoDBStreamsClient:
        """The client of DynamoDB Streams."""
        return cast("DynamoDBStreamsClient", self.client("dynamodbstreams"))

    @property
    def functions(self) -> LambdaClient:
        """The client of Lambda."""
        return cast("LambdaClient", self.client("lambda"))

    @property
    def queues(self) -> SQSClient:
        """The client of SQS."""
        return cast("SQSClient", self.client("sqs"))
