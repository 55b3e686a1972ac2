"""AWS as a model in memory, for tests of one process, behind real clients.

A call takes a fraction of a millisecond, and is one step: races belong on the engine. The tests in
`tests/store` and `tests/integration/test_models_of_services.py` hold the models to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from threading import Lock
from typing import Any

import botocore
import botocore.session
from boto3.session import Session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from infra.simulation import kms
from infra.simulation.deployment import QUEUE_URL, QueueSpec
from infra.simulation.dynamodb import DynamoDb
from infra.simulation.kernel import Kernel
from infra.simulation.sqs import Queue, Sqs
from infra.simulation.transport import ServiceError, new_client, respond
from tests.builders import CONFIG

VISIBILITY_SECONDS = 30.0
_SECRET_VALUES = ("SecretString", "SecretBinary")
_BOTO = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
Request = Mapping[str, Any]


class Model:
    """All services, at a time that the test tells."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.dynamodb = DynamoDb(now)
        self._queues = Queues(now)
        self._secrets = Secrets(now)
        # Threads take turns: each call of a model is one step.
        self._turn = Lock()

    def call(self, service: str, operation: str, request: Request) -> Mapping[str, Any]:
        """Answer a request as it is on the wire."""
        with self._turn:
            match service:
                case "dynamodb":
                    return self.dynamodb.call(operation, request)
                case "sqs":
                    return self._queues.call(operation, request)
                case "kms":
                    return kms.answer(operation, request, {CONFIG.webhook_key})
                case "secrets-manager" | "secretsmanager":
                    return self._secrets.call(operation, request)
                case _:
                    raise NotImplementedError(f"no model of {service}")


class Queues:
    """SQS, which a test can make queues in; messages come in the order in which they were sent."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kernel = _InOrder(0, now())
        self._sqs = Sqs(self._kernel, ())

    def call(self, operation: str, request: Request) -> dict[str, Any]:
        """Answer a request as it is on the wire."""
        self._kernel.now = self._now()
        if "QueueName" not in request:
            return self._sqs.call(operation, request)
        name = request["QueueName"]
        if operation == "CreateQueue":
            self._sqs.queues.setdefault(name, Queue(QueueSpec(name, VISIBILITY_SECONDS, 0, "")))
        elif name not in self._sqs.queues:
            raise ServiceError("com.amazonaws.sqs#QueueDoesNotExist", name)
        return {"QueueUrl": QUEUE_URL + name}


class _InOrder(Kernel):
    """Leaves nothing to chance."""

    def draw(self, *_names: object) -> float:
        return 0.0


class Secrets:
    """Secrets Manager: the present version of each secret, and the one before."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._versions: dict[str, dict[str, dict[str, Any]]] = {}

    def call(self, operation: str, request: Request) -> dict[str, Any]:
        """Answer a request as it is on the wire."""
        name = request.get("SecretId") or request["Name"]
        versions = self._versions.get(name, {})
        match operation:
            case "CreateSecret" | "PutSecretValue":
                before = {"AWSPREVIOUS": versions["AWSCURRENT"]} if versions else {}
                kept = {name: request[name] for name in _SECRET_VALUES if name in request}
                present = {"AWSCURRENT": kept | {"CreatedDate": self._now()}}
                self._versions[name] = present | before
                return {"Name": name}
            case "DeleteSecret":
                del self._versions[name]
                return {"Name": name}
            case "GetSecretValue":
                stage = request.get("VersionStage", "AWSCURRENT")
                if stage not in versions:
                    raise ServiceError("ResourceNotFoundException", "no such secret")
                return versions[stage]
            case _:
                raise NotImplementedError(f"the model of Secrets Manager has no {operation}")


_present: list[Model] = []


def new_model(now: Callable[[], float]) -> Model:
    """Make a model without tables and queues; the clients talk to it from now on."""
    _present[:] = [Model(now)]
    return _present[0]


def make_queue(name: str) -> str:
    """Make a queue of the present model; return its URL."""
    url: str = _present[0].call("sqs", "CreateQueue", {"QueueName": name})["QueueUrl"]
    return url


@cache
def model_client(service: str) -> Any:
    """Make a client of the model; it is kept, because making one takes as long as a test."""
    return new_client(service, _BOTO, _answer)


@cache
def model_session() -> Session:
    """Make the session whose clients talk to the model wherever they would talk to AWS.

    It is kept: a session reads the descriptions of all services, which takes as long as ten tests.
    """
    core = botocore.session.get_session()
    core.set_default_client_config(Config(signature_version=botocore.UNSIGNED))
    session = Session(botocore_session=core)
    events: Any = session.events  # whose types do not know of answers
    events.register("before-send", _send)
    return session


def _send(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
    if ".amazonaws.com" not in request.url:
        return None
    service = event_name.split(".")[1]
    return respond(request, lambda operation, sent: _answer(service, operation, sent))


def _answer(service: str, operation: str, request: Request) -> Mapping[str, Any]:
    return _present[0].call(service, operation, request)
