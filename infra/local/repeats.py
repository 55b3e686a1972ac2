"""Sends every queue message twice, for tests of the promise that a repeat changes nothing.

SQS delivers at least once and hardly ever twice, so that a consumer which can not bear it looks
sound until it is not. Here each SendMessage is done again, delay and all, before it is answered.
"""

from __future__ import annotations

from infra.local.asgi import (
    Application,
    DisconnectedError,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
)

_MAX_BODY_BYTES = 1024 * 1024
_SENDS = frozenset({b"AmazonSQS.SendMessage", b"AmazonSQS.SendMessageBatch"})


class RepeatedSends:
    """Pass every request on, and every send to a queue a second time."""

    def __init__(self, engine: Application) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        is_send = scope["type"] == "http" and dict(scope["headers"]).get(b"x-amz-target") in _SENDS
        if not is_send:
            await self._engine(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, _MAX_BODY_BYTES) or b""
        except DisconnectedError:
            return
        await self._engine(dict(scope), _reading(body), _nobody)
        await self._engine(scope, _reading(body), send)


def _reading(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _nobody(_message: Message) -> None:
    """Hear the answer to the repeat."""
