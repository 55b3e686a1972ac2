"""Starts the simulated PSP's process with the environment that its Lambda would have."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from infra.local.aws import CREDENTIALS, Aws
from infra.local.engine import REGION, Engine
from infra.local.processes import ChildProcess, clean_environment, descriptor_list, start_child
from infra.names import Names

# What a user may set for the simulated PSP; all else of the environment stays outside.
_USER_SETTINGS: Final = {
    "RIEL_SIMULATOR_LATENCY": "0.05-0.2",
    "RIEL_SIMULATOR_SUCCESS_RATE": "0.9",
    "RIEL_SIMULATOR_CAPACITY": "0",
    "RIEL_SIMULATOR_EVENTS": "delay=0-0.5",
}


def start_simulator(
    engine: Engine,
    listener: socket.socket,
    names: Names,
    log_file: Path,
    user_settings: Mapping[str, str] = os.environ,
) -> ChildProcess:
    """Start the simulator on a listener; its table and its secret are on the engine."""
    folder = Path(tempfile.mkdtemp(prefix="simulator-", dir=engine.temporary_folder))
    settings = {n: user_settings.get(n) or default for n, default in _USER_SETTINGS.items()}
    environment = clean_environment(
        folder,
        AWS_ENDPOINT_URL=engine.endpoint,
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        RIEL_STAGE=names.stage,
        RIEL_SIMULATOR_TABLE=names.table("simulator"),
        RIEL_SIMULATOR_SECRET=names.secret("simulator"),
        POWERTOOLS_SERVICE_NAME=names.function("simulator"),
        **CREDENTIALS,
        **settings,
    )
    return start_child(
        "simulator",
        "infra.local.simulator",
        arguments=[f"--listeners={descriptor_list([listener])}"],
        environment=environment,
        listeners=[listener],
        log_file=log_file,
    )


def create_simulator_table(aws: Aws, names: Names) -> None:
    """Make the simulator's own table: on this stage the simulated PSP is outside of the stacks."""
    table = names.table("simulator")
    with contextlib.suppress(aws.dynamodb.exceptions.ResourceInUseException):
        aws.dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
