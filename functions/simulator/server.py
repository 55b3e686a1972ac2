"""Puts the simulator together: a world, and the function that answers requests in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from functions.simulator.posting import Poster, Secret
from functions.simulator.routes import route
from functions.simulator.table import ChargeTable
from functions.simulator.world import Capacity, RefusedError, Send, World
from riel.clock import utc_now
from riel.config import SimulatorConfig

Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
_MAX_CONNECTIONS = 64


def new_poster(config: SimulatorConfig) -> Poster:
    """Build what posts the simulator's events."""
    return Poster(Secret(boto3.client("secretsmanager"), config.secret), utc_now)


def new_handler(config: SimulatorConfig, send: Send) -> Handler:
    """Build the handler of HTTP requests (payload format 2.0); `send` brings its events out."""
    boto = BotoConfig(max_pool_connections=_MAX_CONNECTIONS)
    world = World(
        config=config,
        table=ChargeTable(boto3.client("dynamodb", config=boto), config.table),
        clock=utc_now,
        random=Random(),
        send=send,
        capacity=Capacity(config.capacity),
    )
    return lambda event, _context: answer(world, dict(event))


def answer(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; what is not as agreed is the caller's fault."""
    try:
        status, body = route(world, event)
    except RefusedError as error:
        status, body = error.status, {"error": str(error)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        status, body = 400, {"error": f"the request is not as agreed: {error}"}
    headers = {"content-type": "application/json"}
    # Every log line of the simulator is one request: what came, what was answered.
    print(json.dumps({"path": event.get("rawPath"), "status": status}), flush=True)  # noqa: T201
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
