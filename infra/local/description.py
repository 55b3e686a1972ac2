"""Describes what is deployed, for the state file and `riel status`."""

from __future__ import annotations

import os

from infra.local.aws import Aws
from infra.local.engine import REGION
from infra.local.state import LocalState
from infra.names import Names


def describe(aws: Aws, names: Names, port: int, simulator_url: str, api_id: str) -> LocalState:
    """Return the state with everything that is deployed, by its short names."""

    def short(found: list[str]) -> dict[str, str]:
        prefix = f"{names.prefix}-"
        return {n.removeprefix(prefix): n for n in sorted(found) if n.startswith(prefix)}

    functions = [f["FunctionName"] for f in aws.functions.list_functions()["Functions"]]
    urls = aws.queues.list_queues().get("QueueUrls", [])
    by_name = {url.rsplit("/", 1)[-1]: url for url in urls}
    queues = {name: by_name[full] for name, full in short(list(by_name)).items()}
    tables = aws.dynamodb.list_tables()["TableNames"]
    return LocalState(
        pid=os.getpid(),
        api=f"http://localhost:{port}",
        simulator=simulator_url,
        aws_endpoint=aws.endpoint,
        region=REGION,
        api_id=api_id,
        functions=short(functions),
        queues=queues,
        tables=short(tables),
    )
