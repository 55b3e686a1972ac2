"""Opens a stage for the operator: the product's own `App` with the operator's credentials.

Locally the running stage says where everything is; on AWS the names follow from the stage and the
credentials from boto3's usual chain.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3

from infra.cli.errors import OperatorError, UsageError
from infra.local.aws import CREDENTIALS
from infra.local.state import STATE_FOLDER, LocalState, read_state, running_pid
from infra.names import Names
from infra.stages import UnknownStageError, stage_named
from riel.app import App
from riel.config import Config
from riel.services.dead_letters import DeadLetterQueue
from riel.store.quarantine import PutAside
from riel.store.queues import Queue

LOCAL = "local"
DEMO_MERCHANT = "demo"
AWS_WAIT_SECONDS = 1
"""SQS answers from some of its servers only, unless it is asked to wait."""
_HOW_TO_START = "Start it with: make run"


@dataclass(frozen=True)
class StageAccess:
    """An open stage. `queue_urls` are by short name, dead-letter queues as `payments-dlq`."""

    stage: str
    app: App
    names: Names
    queue_urls: Mapping[str, str]
    local: LocalState | None = None

    def dead_letter_queue(self, name: str) -> DeadLetterQueue:
        """Return a dead-letter queue by its short name; raises UsageError for an unknown one."""
        known = stage_named(self.stage).dead_letter_queues
        if name not in known:
            raise UsageError(f"There is no queue {name!r}.", f"The queues are {', '.join(known)}.")
        wait_seconds = 0 if self.local else AWS_WAIT_SECONDS
        return DeadLetterQueue(name, self.queue(f"{name}-dlq"), wait_seconds)

    def quarantined(self, payment_id: str) -> list[PutAside]:
        """Find the dead letters of a payment that were put aside, of all queues."""
        queues = stage_named(self.stage).dead_letter_queues
        with ThreadPoolExecutor(len(queues)) as pool:
            read = self.app.quarantine.of_queue
            pages = pool.map(lambda queue: read(queue, payment_id), queues)
            return [letter for page in pages for letter in page]

    def operator(self) -> str:
        """Say who works here: on AWS by the credentials, on this machine by its user."""
        if self.local:
            return getpass.getuser()
        identity: str = self.app.client("sts").get_caller_identity()["Arn"]
        return identity

    def queue(self, name: str) -> Queue:
        """Return any queue by its short name."""
        return Queue(self.app.sqs, self.queue_urls[name])


def open_stage(stage: str) -> StageAccess:
    """Open a stage; raises OperatorError when it can not be reached."""
    check_stage(stage)
    return _open_local() if stage == LOCAL else _open_aws(stage)


def check_stage(stage: str) -> None:
    """Raise UsageError for a stage that does not exist."""
    try:
        stage_named(stage)
    except UnknownStageError as error:
        text = str(error)
        raise UsageError(text[:1].upper() + text[1:] + ".") from None


def local_state() -> LocalState:
    """Return where the running local stage is; raises OperatorError when none runs."""
    state = read_state(STATE_FOLDER)
    if state is not None:
        return state
    if running_pid(STATE_FOLDER) is not None:
        raise OperatorError("The local stage is still starting.", "Try again in a few seconds.")
    raise OperatorError("The local stage is not running.", _HOW_TO_START)


def keep_out_user_settings() -> None:
    """Let nothing of the user's AWS profile or proxy reach the local stage.

    A profile that does not exist, or a proxy that does not know this machine, would otherwise
    break commands that speak to loopback alone.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def _open_local() -> StageAccess:
    state = local_state()
    keep_out_user_settings()
    aws = {
        "endpoint_url": state.aws_endpoint,
        "region_name": state.region,
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    names = Names(LOCAL)
    app = _app(LOCAL, names, state.queues, aws)
    return StageAccess(LOCAL, app, names, state.queues, state)


def _open_aws(stage: str) -> StageAccess:
    session = boto3.session.Session()
    if session.get_credentials() is None:
        raise OperatorError(
            f"There are no AWS credentials for the stage {stage}.",
            "Sign in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID.",
        )
    if not session.region_name:
        raise OperatorError(
            f"There is no AWS region for the stage {stage}.",
            "Set AWS_REGION to where it is deployed, for example AWS_REGION=us-east-1.",
        )
    names = Names(stage)
    urls = _queue_urls(session.client("sqs"), stage, names)
    return StageAccess(stage, _app(stage, names, urls, {}), names, urls)


def _queue_urls(sqs: Any, stage: str, names: Names) -> dict[str, str]:
    settings = stage_named(stage)
    full = {name: names.queue(name) for name in settings.queues}
    full |= {f"{n}-dlq": names.dead_letter_queue(n) for n in settings.dead_letter_queues}
    try:
        return {
            short: sqs.get_queue_url(QueueName=name)["QueueUrl"] for short, name in full.items()
        }
    except sqs.exceptions.QueueDoesNotExist:
        raise OperatorError(
            f"The stage {stage} is not deployed in this account and region.",
            f"Check AWS_PROFILE and AWS_REGION, or deploy it with: npx cdk deploy 'riel-{stage}-*'",
        ) from None


def _app(stage: str, names: Names, urls: Mapping[str, str], aws: Mapping[str, Any]) -> App:
    settings = stage_named(stage)
    config = Config(
        stage=stage,
        payments_table=names.table("payments"),
        outbox_table=names.table("outbox"),
        merchants_table=names.table("merchants"),
        limits_table=names.table("limits"),
        payments_queue_url=urls["payments"],
        gateway_queues={g: urls[queue] for g, queue in settings.gateway_queues.items()},
        gateway_events_queue_url=urls["gateway-events"],
        webhooks_queue_url=urls["webhooks"],
        webhooks_dlq_url=urls["webhooks-dlq"],
        webhook_key=names.webhook_key,
    )
    return App(config, aws=aws)
