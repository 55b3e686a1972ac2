"""What a stage consists of at this moment, read from AWS (or the embedded engine)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from infra.cli.flag_screens import switch_document
from infra.cli.stage_access import StageAccess
from infra.cli.unserved import switched_off, unserved_methods
from infra.names import FUNCTIONS, SIMULATOR, TABLES
from infra.stages import SimulatorPlace, stage_named
from riel.services.list_reviews import count_reviews
from riel.services.stopped_endpoints import count_stopped
from riel.services.switches import all_switches

_AGE_WINDOW = timedelta(minutes=3)


def report(access: StageAccess) -> dict[str, Any]:
    """Return the report in the contract's form, with alarms and what waits for a person added."""
    with ThreadPoolExecutor(4) as pool:
        ages = pool.submit(_oldest_ages, access)
        alarms = pool.submit(_alarms, access)
        quarantined = pool.submit(_quarantined, access)
        reviews = pool.submit(count_reviews, access.app)
        stopped = pool.submit(count_stopped, access.app)
        switches = pool.submit(all_switches, access.app)
        depths = dict(
            zip(
                access.queue_urls,
                pool.map(lambda n: access.queue(n).depth(), access.queue_urls),
                strict=True,
            )
        )
        return {
            **addresses(access),
            "functions": _functions(access),
            "queues": _queues(access, depths, ages.result(), quarantined.result()),
            "tables": {n: {"name": access.names.table(n)} for n in _tables(access)},
            "alarms": alarms.result(),
            "reviews": reviews.result(),
            "stopped_endpoints": stopped.result(),
            "switched_off": [
                switch_document(*one) for one in switched_off(switches.result()).items()
            ],
            "unserved_methods": unserved_methods(access.stage, switches.result()),
        }


def addresses(access: StageAccess) -> dict[str, Any]:
    """Return where a stage's API, simulator and AWS are; None for what it does not have."""
    if access.local:
        local = access.local
        return {
            "api": local.api,
            "simulator": local.simulator,
            "aws_endpoint": local.aws_endpoint,
            "region": local.region,
        }
    cloudformation = access.app.client("cloudformation")
    stacks = cloudformation.describe_stacks(StackName=access.names.stack("stateless"))["Stacks"]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks[0].get("Outputs", [])}
    return {
        "api": outputs.get("ApiUrl"),
        "simulator": outputs.get("SimulatorUrl"),
        "aws_endpoint": None,
        "region": access.app.sqs.meta.region_name,
    }


def _functions(access: StageAccess) -> dict[str, dict[str, Any]]:
    short_names = list(FUNCTIONS)
    if stage_named(access.stage).simulator is SimulatorPlace.FUNCTION:
        short_names.append(SIMULATOR)
    client = access.app.client("lambda")
    return {short: _function(client, access.names.function(short)) for short in short_names}


def _function(client: Any, name: str) -> dict[str, Any]:
    try:
        found = client.get_function_configuration(FunctionName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return {"name": name, "arn": None, "state": "Missing"}
    return {"name": name, "arn": found["FunctionArn"], "state": found.get("State", "Active")}


def _quarantined(access: StageAccess) -> dict[str, int]:
    """Count the dead letters of each queue that were put aside."""
    queues = stage_named(access.stage).dead_letter_queues
    return {f"{queue}-dlq": access.app.quarantine.count(queue) for queue in queues}


def _queues(
    access: StageAccess,
    depths: dict[str, dict[str, int]],
    ages: dict[str, float],
    quarantined: dict[str, int],
) -> dict[str, dict[str, Any]]:
    queues: dict[str, dict[str, Any]] = {}
    for short, url in sorted(access.queue_urls.items()):
        name = url.rsplit("/", 1)[-1]
        queues[short] = {"name": name, "url": url, **depths[short]}
        # CloudWatch's last word may be older than the depth.
        is_empty = not any(depths[short].values())
        queues[short]["oldest_seconds"] = None if is_empty else ages.get(name)
        if short in quarantined:
            queues[short]["quarantined"] = quarantined[short]
        if f"{short}-dlq" in depths:
            dead = depths[f"{short}-dlq"]
            queues[short]["dead_letter_queue"] = f"{short}-dlq"
            queues[short]["dead_letters"] = dead["visible"] + dead["in_flight"]
    return queues


def _tables(access: StageAccess) -> list[str]:
    if access.local:
        return list(access.local.tables)
    has_simulator = stage_named(access.stage).simulator is SimulatorPlace.FUNCTION
    return [*TABLES, *([SIMULATOR] if has_simulator else [])]


def _oldest_ages(access: StageAccess) -> dict[str, float]:
    """Age of the oldest message by the queue's whole name, where CloudWatch knows one."""
    names = [url.rsplit("/", 1)[-1] for url in access.queue_urls.values()]
    now = datetime.now(UTC)
    answer = access.app.client("cloudwatch").get_metric_data(
        MetricDataQueries=[_age_query(f"q{n}", name) for n, name in enumerate(names)],
        StartTime=now - _AGE_WINDOW,
        EndTime=now + timedelta(minutes=1),
    )
    # The newest point, whichever way the engine sorts them.
    newest = {
        result["Id"]: max(zip(result["Timestamps"], result["Values"], strict=True))[1]
        for result in answer["MetricDataResults"]
        if result["Values"]
    }
    return {name: newest[f"q{n}"] for n, name in enumerate(names) if f"q{n}" in newest}


def _age_query(query_id: str, queue: str) -> dict[str, Any]:
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}


def _alarms(access: StageAccess) -> dict[str, str]:
    prefix = f"{access.names.prefix}-"
    pages = access.app.client("cloudwatch").get_paginator("describe_alarms")
    return {
        alarm["AlarmName"].removeprefix(prefix): alarm["StateValue"]
        for page in pages.paginate(AlarmNamePrefix=prefix)
        for alarm in page["MetricAlarms"]
    }
