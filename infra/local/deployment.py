"""Deploys the synthesized templates to the engine: stands in for `cdk deploy`.

Nothing is changed on the way: the assets go to the bucket and key that the assembly names, and
the templates to CloudFormation, in the order of their dependencies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.local.aws import Aws
from infra.local.engine import ACCOUNT, REGION
from infra.local.errors import LocalStageError
from infra.synthesis import CloudAssembly, SynthesizedStack

_POLL_SECONDS: Final = 0.03
_DEPLOY_SECONDS: Final = 120.0
_BOOTSTRAP_PARAMETER: Final = "BootstrapVersion"


def deploy(aws: Aws, assembly: CloudAssembly, parameters: Mapping[str, str]) -> dict[str, str]:
    """Deploy every stack of an assembly and return all their outputs.

    A parameter reaches the stacks that declare it. Raises LocalStageError with the reason of the
    first failed resource.
    """
    outputs: dict[str, str] = {}
    for stack in assembly.stacks:
        _upload_assets(aws, stack)
        outputs |= _create(aws, stack, parameters)
    return outputs


def _upload_assets(aws: Aws, stack: SynthesizedStack) -> None:
    storage = aws.client("s3")
    for asset in stack.assets:
        bucket = asset.bucket_in(ACCOUNT, REGION)
        _ensure_bucket(storage, bucket)
        storage.put_object(Bucket=bucket, Key=asset.key, Body=asset.zipped())


def _ensure_bucket(storage: Any, bucket: str) -> None:
    try:
        storage.create_bucket(Bucket=bucket)
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("BucketAlready"):
            raise


def _create(aws: Aws, stack: SynthesizedStack, parameters: Mapping[str, str]) -> dict[str, str]:
    template = stack.template.read_text()
    declared = json.loads(template).get("Parameters", {})
    if _BOOTSTRAP_PARAMETER in declared:
        _pretend_bootstrap(aws, declared[_BOOTSTRAP_PARAMETER]["Default"])
    try:
        aws.cloudformation.create_stack(
            StackName=stack.name,
            TemplateURL=_uploaded(aws, stack.name, template),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
                if name in declared
            ],
        )
    except ClientError as error:
        raise _failed(stack.name, error.response["Error"]["Message"]) from error
    return _wait(aws, stack.name)


def _uploaded(aws: Aws, stack_name: str, template: str) -> str:
    """Put a template where CloudFormation reads it; in a request it may have 51,200 bytes only."""
    storage, bucket = aws.client("s3"), f"cdk-templates-{ACCOUNT}-{REGION}"
    key = f"{stack_name}.template.json"
    _ensure_bucket(storage, bucket)
    storage.put_object(Bucket=bucket, Key=key, Body=template.encode())
    return f"{aws.endpoint}/{bucket}/{key}"


def _pretend_bootstrap(aws: Aws, parameter: str) -> None:
    """CDK templates ask for the version of the account's bootstrap stack."""
    aws.client("ssm").put_parameter(Name=parameter, Value="30", Type="String", Overwrite=True)


def _wait(aws: Aws, stack_name: str) -> dict[str, str]:
    description = _until(
        lambda: aws.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0],
        lambda stack: not stack["StackStatus"].endswith("_IN_PROGRESS"),
    )
    if description is None or description["StackStatus"] != "CREATE_COMPLETE":
        raise _failed(stack_name, _first_reason(aws, stack_name))
    return {o["OutputKey"]: o["OutputValue"] for o in description.get("Outputs", [])}


def _failed(stack_name: str, reason: str) -> LocalStageError:
    return LocalStageError(
        f"The stack {stack_name} can not be deployed: {reason}.",
        "Run make check: the template tests usually say more.",
    )


def _until(read: Callable[[], Any], is_done: Callable[[Any], bool]) -> Any:
    """Return what was read when it is done, or None when that takes too long."""
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while time.monotonic() < deadline:
        state = read()
        if is_done(state):
            return state
        time.sleep(_POLL_SECONDS)
    return None


def _first_reason(aws: Aws, stack_name: str) -> str:
    """Return why the first resource failed; the later failures only follow from it."""
    failed = [
        f"{event['LogicalResourceId']} ({event.get('ResourceType', '')}):"
        f" {event['ResourceStatusReason']}"
        for event in _events(aws, stack_name)
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    ]
    return failed[-1] if failed else "it is still in progress after two minutes"


def _events(aws: Aws, stack_name: str) -> Iterator[Any]:
    """Yield the events of a stack, newest first."""
    pages = aws.cloudformation.get_paginator("describe_stack_events")
    for page in pages.paginate(StackName=stack_name):
        yield from page["StackEvents"]
