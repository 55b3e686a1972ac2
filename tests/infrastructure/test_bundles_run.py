"""Each function's bundle runs on the runtime's Python with nothing but its layers beside it.

The layer ships for arm64; here it is built by the same recipe for this machine's processor, so that
a file missing in a bundle, a package missing in the lock, or a description trimmed from botocore
is found here and not on AWS. No address is reached: the endpoint is a closed loopback port.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import bytecode, dependencies
from infra.bundles import build_bundles
from infra.names import TABLES, package
from infra.stages import DEV

WHEELS = {"x86_64": "x86_64-manylinux2014", "aarch64": dependencies.PLATFORM}
RUN = """
import importlib, json, os, sys
sys.path[:0] = sys.argv[1:4]
class Context:
    function_name = "f"; memory_limit_in_mb = 512; aws_request_id = "r"
    invoked_function_arn = "arn:aws:lambda:us-east-1:1:function:f"
    def get_remaining_time_in_millis(self): return 60_000
handler = importlib.import_module(f"functions.{sys.argv[4]}.handler").handler
print(json.dumps({"answer": handler(json.loads(sys.argv[5]), Context())}))
"""
HTTP = {
    "version": "2.0",
    "rawPath": "/health",
    "rawQueryString": "",
    "headers": {},
    "requestContext": {
        "requestId": "r",
        "http": {"method": "GET", "path": "/health"},
        "stage": "$default",
    },
    "isBase64Encoded": False,
}
EVENTS: dict[str, dict[str, Any]] = {"api": HTTP, "gateway-webhooks": HTTP, "simulator": HTTP}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Path]:
    interpreter = bytecode.find_interpreter()
    wheels = WHEELS.get(platform.machine())
    if interpreter is None or wheels is None or platform.system() != "Linux":
        pytest.skip(f"needs Linux and python{bytecode.VERSION} to run what Lambda runs")
    folder = tmp_path_factory.mktemp("bundles")
    built = build_bundles(DEV, folder / "code")
    dependencies.install(folder / "dependencies", interpreter, wheels)
    return interpreter, built, folder / "dependencies" / "python"


@pytest.mark.parametrize("name", DEV.functions)
def test_a_bundle_runs_with_its_layers_alone(name: str, bundles: tuple[Path, Any, Path]) -> None:
    interpreter, built, packages = bundles
    path = [built.functions[name], built.core_layer / "python", packages]
    event = EVENTS.get(name, {"Records": []})
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "RIEL_SIMULATOR_TABLE": "t",
        "RIEL_SIMULATOR_LATENCY": "0-0",
        "RIEL_SIMULATOR_SUCCESS_RATE": "1",
        "RIEL_PAYMENTS_QUEUE_URL": "http://127.0.0.1:9/q",
        "RIEL_WEBHOOKS_QUEUE_URL": "http://127.0.0.1:9/w",
        **{f"RIEL_{table.upper()}_TABLE": "t" for table in TABLES},
    }

    result = subprocess.run(
        [str(interpreter), "-I", "-c", RUN, *map(str, path), package(name), json.dumps(event)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )

    if name == "sweeper":
        # It has nothing to answer: without its tables the run fails, and the next one goes on.
        assert "StoreUnavailableError" in result.stderr.splitlines()[-1]
        return
    assert result.returncode == 0, result.stderr[-2000:]
    answer = json.loads(result.stdout.splitlines()[-1])["answer"]
    if name == "api":
        # It got as far as its database, which is not there, and says so.
        assert answer["statusCode"] == 503
        assert json.loads(answer["body"])["checks"]["payments"] == "EndpointConnectionError"
    elif name in ("gateway-webhooks", "simulator"):
        assert answer["statusCode"] == 404
    else:
        assert answer == {"batchItemFailures": []}
