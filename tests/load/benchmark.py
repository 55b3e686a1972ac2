"""Cold start and hot path of the API, measured under Lambda's own runtime interface.

    make benchmark

The API's bundle and layers, as they are deployed, run under the runtime interface client and its
emulator against a database on TLS loopback, in turns with a bare boto3 function: what boto3 costs,
nobody can save. CPU is the measure, because it is what Lambda bills and what a busy machine
distorts least; ratios carry over to other machines, milliseconds do not. Writes the table of
docs/benchmarks.md and ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from infra.dependencies import ROOT
from infra.names import Names
from infra.stages import LOCAL
from riel.app import App
from riel.config import Config
from riel.services.merchants import seed_merchant
from riel.store.merchants import Limits
from tests.load.database_process import Database, running_database
from tests.load.environment import BenchmarkError, Environment, prepare
from tests.load.report import Row, show, write
from tests.load.runtime import Execution, Figures, running

COLD_STARTS = 9
BLOCKS = 6
INVOCATIONS_IN_A_BLOCK = 50
WARM_UP = 20
COUNTED_PAYMENTS = 9
MAX_RATIO = 1.6
OURS, BARE = "functions.api.handler.handler", "bare.handler"
API_KEY = "secret-api-key"
EVENT = ROOT / "events" / "api" / "create_payment.json"
TABLES = ("payments", "outbox", "merchants", "idempotency", "limits")


def _seed(database: Database) -> None:
    app = App(
        Config(merchants_table="merchants", webhook_key=Names(LOCAL.name).webhook_key),
        aws={
            "endpoint_url": database.url,
            "verify": str(database.certificate),
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        },
    )
    seed_merchant(
        app,
        merchant_id="demo",
        name="Demo",
        api_key=API_KEY,
        webhook_secret="whsec_cmllbC1kZW1vLXdlYmhvb2stc2VjcmV0LTAwMDE=",
        limits=Limits(LOCAL.merchant_limits.rate, LOCAL.merchant_limits.burst),
    )


def _variables(database: Database) -> dict[str, str]:
    """The environment that Lambda and the stack give the API, with the database's address."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_ENDPOINT_URL": database.url,
        "AWS_CA_BUNDLE": str(database.certificate),
        "POWERTOOLS_SERVICE_NAME": "riel-benchmark-api",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "RIEL_STAGE": "benchmark",
        "RIEL_SIMULATOR_URL": "https://simulator.invalid",
        "RIEL_ROUTES": "card=simulator",
        **{f"RIEL_{name.upper()}_TABLE": name for name in TABLES},
    }


def _ratio(what: str, ms: Mapping[str, float], limit: float | None = None) -> Row:
    return Row(what, f"{ms[OURS]:.2f} ms", f"{ms[BARE]:.2f} ms", ms[OURS] / ms[BARE], limit)


class Benchmark:
    """Runs the product and the bare function in turns, so that both meet the same noise."""

    def __init__(self, environment: Environment, database: Database, folder: Path) -> None:
        self._environment = environment
        self._database = database
        self._logs = folder
        self._serial = count()
        self._event = json.loads(EVENT.read_text())
        self._variables = _variables(database)

    @contextmanager
    def _running(self, handler: str) -> Iterator[Execution]:
        log = self._logs / f"{next(self._serial)}.log"
        with running(self._environment, handler, self._variables, log) as execution:
            yield execution

    def _post(self, execution: Execution, key: str = "") -> dict[str, Any]:
        """Post a payment, under a key of its own unless one is given; it must be accepted."""
        sent = self._event["headers"]
        headers = {**sent, "x-api-key": API_KEY, "idempotency-key": key or f"k{next(self._serial)}"}
        answer = execution.invoke({**self._event, "headers": headers})
        if answer["statusCode"] != 202:
            raise BenchmarkError(f"a payment was not accepted: {answer}")
        return answer

    def cold_starts(self) -> list[Row]:
        """Start both anew several times."""
        figures: dict[str, list[Figures]] = {OURS: [], BARE: []}
        walls: dict[str, list[float]] = {OURS: [], BARE: []}
        for handler in [OURS, BARE] * COLD_STARTS:
            with self._running(handler) as execution:
                figures[handler].append(execution.figures())
                walls[handler].append(execution.init_ms())
        ready = {name: median(f.ready_ms for f in found) for name, found in figures.items()}
        imports = {name: median(f.import_ms for f in found) for name, found in figures.items()}
        modules = {name: median(f.modules for f in found) for name, found in figures.items()}
        return [
            _ratio("cold start: CPU until ready", ready, MAX_RATIO),
            _ratio("… of that, importing the handler", imports),
            _ratio("… wall clock of INIT REPORT", {k: median(v) for k, v in walls.items()}),
            Row("modules imported", f"{modules[OURS]:g}", f"{modules[BARE]:g}"),
        ]

    def hot_path(self) -> list[Row]:
        """Post payments, and write the same two items barely, in alternating blocks."""
        with self._running(OURS) as ours, self._running(BARE) as bare:
            for _ in range(WARM_UP):
                self._post(ours)
            bare.invoke({"actions": self._database.last_transaction()})
            calls = self._count_calls(ours)
            blocks: dict[str, list[tuple[float, float]]] = {OURS: [], BARE: []}
            self._block(lambda: bare.invoke({}), bare)
            for _ in range(BLOCKS):
                blocks[OURS].append(self._block(lambda: self._post(ours), ours))
                blocks[BARE].append(self._block(lambda: bare.invoke({}), bare))
        handler = {name: median(block[0] for block in found) for name, found in blocks.items()}
        process = {name: median(block[1] for block in found) for name, found in blocks.items()}
        return [
            _ratio("accepted POST: CPU in the handler", handler, MAX_RATIO),
            _ratio("… with the runtime around it", process),
            *calls,
        ]

    @staticmethod
    def _block(invoke: Callable[[], object], execution: Execution) -> tuple[float, float]:
        """Milliseconds of CPU for one invocation, inside of the handler and in all."""
        before = execution.figures()
        for _ in range(INVOCATIONS_IN_A_BLOCK):
            invoke()
        after = execution.figures()
        spent, used = after.spent_ms - before.spent_ms, after.process_ms - before.process_ms
        return spent / INVOCATIONS_IN_A_BLOCK, used / INVOCATIONS_IN_A_BLOCK

    def _count_calls(self, ours: Execution) -> list[Row]:
        """Count what a POST and its replay call; now and then one renews a cache or a lease."""
        calls: dict[str, list[int]] = {"first": [], "replay": []}
        for n in range(COUNTED_PAYMENTS):
            for what, counted in calls.items():
                self._database.calls()
                answer = self._post(ours, f"counted-{n}")
                if ("Idempotent-Replayed" in answer["headers"]) != (what == "replay"):
                    raise BenchmarkError(f"the {what} POST answered {answer}")
                counted.append(sum(self._database.calls().values()))
        return [
            Row(f"DynamoDB calls of a POST, {what}", "", "", median(counted), 1)
            for what, counted in calls.items()
        ]


def measure() -> list[Row]:
    """Prepare, measure, clean up."""
    with tempfile.TemporaryDirectory(prefix="riel-benchmark-") as name:
        folder = Path(name)
        environment = prepare(folder)
        with running_database(environment, folder) as database:
            _seed(database)
            benchmark = Benchmark(environment, database, folder)
            return [*benchmark.cold_starts(), *benchmark.hot_path()]


def main() -> int:
    """Measure, print, write; 1 when a target is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        rows = measure()
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    show(rows)
    write(rows)
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
