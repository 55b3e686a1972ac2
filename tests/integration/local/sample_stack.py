"""A small stack for tests of the local stage: a stream, queues, an API, and functions that obey.

The functions do what the record says, so that a test decides what fails: `ok` is passed on to the
`done` queue, `raise` raises, `name` reports the record as failed.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from infra.synthesis import Asset, CloudAssembly, SynthesizedStack

BUCKET = "assets-${AWS::AccountId}-${AWS::Region}"
KEY = "functions.zip"
STACK = "sample"
HOOKS_ROUTE = "POST /hooks/{name}/events"

RELAY = textwrap.dedent(
    """
    import json, os, boto3
    sqs = boto3.client("sqs")
    URL = os.environ["DONE_QUEUE_URL"]

    def handler(event, context):
        print("relay", len(event["Records"]))
        failed = []
        for record in event["Records"]:
            image = record["dynamodb"]["NewImage"]
            do = image["do"]["S"]
            if do == "raise":
                raise RuntimeError("told to raise")
            if do == "name":
                failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
                continue
            sqs.send_message(QueueUrl=URL, MessageBody=image["pk"]["S"])
        return {"batchItemFailures": failed}
    """
)

CONSUMER = textwrap.dedent(
    """
    import json, os, time, boto3
    sqs = boto3.client("sqs")

    def handler(event, context):
        print("consumer", len(event["Records"]))
        failed = []
        for record in event["Records"]:
            body = json.loads(record["body"])
            time.sleep(body.get("sleep", 0))
            if "visibility" in body:
                sqs.change_message_visibility(QueueUrl=os.environ["WORK_QUEUE_URL"],
                    ReceiptHandle=record["receiptHandle"], VisibilityTimeout=body["visibility"])
            if body["do"] == "fail":
                failed.append({"itemIdentifier": record["messageId"]})
            receives = record["attributes"]["ApproximateReceiveCount"]
            note = json.dumps({"id": body["id"], "receives": int(receives), "at": time.time(),
                "batch": len(event["Records"])})
            sqs.send_message(QueueUrl=os.environ["DONE_QUEUE_URL"], MessageBody=note)
        return {"batchItemFailures": failed}
    """
)

API = textwrap.dedent(
    """
    import json, time

    def handler(event, context):
        print("api")
        path = event["rawPath"]
        if path == "/raise":
            raise RuntimeError("a secret of the code")
        if path == "/problem":
            return {"statusCode": 502, "headers": {"content-type": "application/problem+json"},
                    "body": json.dumps({"code": "upstream"})}
        if path == "/cookies":
            return {"statusCode": 200, "cookies": ["a=1", "b=2"], "body": "ok"}
        if path.startswith("/sleep"):
            time.sleep(0.2)
        return {"statusCode": 200, "headers": {"content-type": "application/json"},
                "body": json.dumps({"path": path, "query": event["rawQueryString"],
                                    "route": event["routeKey"],
                                    "parameters": event.get("pathParameters"),
                                    "base64": event["isBase64Encoded"],
                                    "body": event.get("body"), "headers": event["headers"]})}
    """
)


def sample_assembly(folder: Path) -> CloudAssembly:
    """Write the stack's template and code, and describe them as a synthesis does."""
    code = folder / "code"
    code.mkdir()
    for name, source in (("relay", RELAY), ("consumer", CONSUMER), ("api", API)):
        (code / f"{name}.py").write_text(source)
    template = folder / "sample.template.json"
    template.write_text(json.dumps({"Resources": _resources(), "Outputs": _outputs()}))
    stack = SynthesizedStack(STACK, template, (Asset(code, BUCKET, KEY),))
    return CloudAssembly(folder, (stack,))


def _resources() -> dict[str, Any]:
    return {
        "Role": _role(),
        "Events": _table(),
        "DoneQueue": _queue("done"),
        "GivenUpQueue": _queue("given-up"),
        "DeadQueue": _queue("work-dlq"),
        "WorkQueue": _queue(
            "work",
            VisibilityTimeout=20,
            RedrivePolicy={"deadLetterTargetArn": _arn("DeadQueue"), "maxReceiveCount": 2},
        ),
        "Relay": _function("relay", DONE_QUEUE_URL={"Ref": "DoneQueue"}),
        "Consumer": _function(
            "consumer",
            DONE_QUEUE_URL={"Ref": "DoneQueue"},
            WORK_QUEUE_URL={"Ref": "WorkQueue"},
        ),
        "Api": _function("api"),
        "Hooks": _function("hooks", handler="api"),
        "StreamMapping": _stream_mapping(),
        "QueueMapping": _mapping(
            FunctionName={"Ref": "Consumer"},
            EventSourceArn=_arn("WorkQueue"),
            BatchSize=10,
            ScalingConfig={"MaximumConcurrency": 3},
        ),
        "DepthAlarm": _depth_alarm("work-dlq"),
        **_http_api(),
    }


def _outputs() -> dict[str, Any]:
    return {"ApiId": {"Value": {"Ref": "HttpApi"}}}


def _arn(resource: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, attribute]}


def _queue(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **properties}}


def _role() -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}


def _table() -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": "events",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        },
    }


def _function(name: str, handler: str = "", **variables: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": f"{handler or name}.handler",
            "Role": _arn("Role"),
            "Timeout": 15,
            "Code": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": KEY},
            "Environment": {"Variables": variables},
        },
    }


def _mapping(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"FunctionResponseTypes": ["ReportBatchItemFailures"], **properties},
    }


def _stream_mapping() -> dict[str, Any]:
    return _mapping(
        FunctionName={"Ref": "Relay"},
        EventSourceArn=_arn("Events", "StreamArn"),
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
        MaximumRecordAgeInSeconds=3600,
        DestinationConfig={"OnFailure": {"Destination": _arn("GivenUpQueue")}},
        FilterCriteria={"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
    )


def _depth_alarm(queue: str) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": "work-dlq-depth",
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": queue}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        },
    }


def _http_api() -> dict[str, Any]:
    api = {"Ref": "HttpApi"}
    return {
        "HttpApi": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": "sample", "ProtocolType": "HTTP"},
        },
        **_route("$default", "Api"),
        **_route(HOOKS_ROUTE, "Hooks"),
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": api, "StageName": "$default", "AutoDeploy": True},
        },
    }


def _route(key: str, function: str) -> dict[str, Any]:
    api, integration = {"Ref": "HttpApi"}, f"{function}Integration"
    return {
        integration: {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": api,
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": _arn(function),
                "PayloadFormatVersion": "2.0",
            },
        },
        f"{function}Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": api,
                "RouteKey": key,
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integration}]]},
            },
        },
    }
