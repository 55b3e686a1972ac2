"""Answers of the POSTs that are not payments: the first one is kept and given again for a day.

Powertools' DynamoDB layer does the keeping, the comparing of requests and the lock while the
first still runs. It is never the only guard: the work behind it is conditional on an id derived
from the same key, so that a record that expired, or a lock whose holder was killed, can repeat
only what then finds itself done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from riel.errors import IdempotencyKeyInUseError, IdempotencyKeyReusedError
from riel.store.dynamodb import meaning_of

if TYPE_CHECKING:
    from riel.app import App

KEPT_SECONDS = 24 * 3600
WAIT_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.8)
"""How long a repeat waits for the first to end, look by look: three seconds together."""

Work = Callable[[], dict[str, Any]]
"""Does the work once; returns the answer as JSON. What it raises is not kept."""


class StoredAnswers:
    """The idempotency table, one for all routes: the record's id carries the route."""

    def __init__(self, app: App, sleep: Callable[[float], None] | None = None) -> None:
        """`sleep` stands in for time.sleep."""
        self.idempotency = IdempotencyConfig(
            event_key_jmespath="id",
            payload_validation_jmespath="fingerprint",
            raise_on_no_idempotency_key=True,
            expires_after_seconds=KEPT_SECONDS,
            hash_function="sha256",
            response_hook=_mark_replay,
        )
        layer = DynamoDBPersistenceLayer(
            table_name=app.config.required("idempotency_table"),
            key_attr="pk",
            expiry_attr="expires_at",
            boto3_client=app.dynamodb,
        )
        self._sleep = sleep
        self._run = idempotent_function(
            data_keyword_argument="request",
            persistence_store=layer,
            config=self.idempotency,
            key_prefix="answer",
        )(_run)

    def answer(self, record_id: str, fingerprint: str, work: Work) -> tuple[dict[str, Any], bool]:
        """Return the answer, and whether it is a repeat of an earlier one.

        Raises IdempotencyKeyReusedError for another fingerprint, IdempotencyKeyInUseError when
        the first still runs after all the waiting, StoreUnavailableError, and what `work` raises.
        """
        request = {"id": record_id, "fingerprint": fingerprint}
        for wait in _waits():
            try:
                answer = dict(self._run(request=request, work=work))
            except IdempotencyValidationError as error:
                raise IdempotencyKeyReusedError(
                    "this Idempotency-Key was used with another body"
                ) from error
            except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
                (self._sleep or time.sleep)(wait)
            except IdempotencyPersistenceLayerError as error:
                raise _unwrapped(error) from error
            else:
                return answer, answer.pop("is_replay", False)
        raise IdempotencyKeyInUseError("the first request with this Idempotency-Key still runs")


def _run(request: dict[str, str], work: Work) -> dict[str, Any]:
    return work()


def _waits() -> Iterator[float]:
    yield from WAIT_SECONDS
    yield 0.0


def _mark_replay(response: Any, idempotent_data: Any) -> Any:
    return {**response, "is_replay": True}


def _unwrapped(error: IdempotencyPersistenceLayerError) -> BaseException:
    cause = error.__cause__
    return meaning_of(cause) if isinstance(cause, Exception) else error
