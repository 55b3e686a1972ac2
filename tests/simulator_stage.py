"""The simulator as its own process over a real socket, on an engine of its own; no stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.local.aws import Aws
from infra.local.engine import start_engine
from infra.local.listeners import internal_listener, port_of, product_listeners
from infra.local.simulator_process import create_simulator_table, start_simulator
from infra.names import Names

SECRET = "a-secret-of-the-simulator"
NAMES = Names("local")


@dataclass
class SimulatorStage:
    """Where the simulator is; `http` talks to it as a payer, or its operator, would."""

    url: str
    http: httpx.Client
    aws: Aws
    log_file: Path

    def pay(self, payment_id: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/payments/{payment_id}/pay", json=body)

    def force(self, payment_id: str, token: str) -> None:
        answer = self.http.post(f"/payments/{payment_id}/outcome", json={"token": token})
        assert answer.status_code == 200, answer.text

    def charges(self, payment_id: str) -> list[dict[str, Any]]:
        """Each time that money moved for a payment."""
        data = self.http.get("/charges").json()["data"]
        return [charge for charge in data if charge["payment_id"] == payment_id]

    def refunds(self, payment_id: str) -> list[dict[str, Any]]:
        """Each time that money went back for a payment."""
        data = self.http.get("/refunds").json()["data"]
        return [refund for refund in data if refund["payment_id"] == payment_id]


@contextmanager
def running_simulator(folder: Path, **settings: str) -> Iterator[SimulatorStage]:
    """Run an engine and the simulator on free ports; `settings` are its `RIEL_SIMULATOR_*`."""
    listener, aws_listener = internal_listener(0), internal_listener(0)
    product = product_listeners(0)
    url = f"http://127.0.0.1:{port_of(listener)}"
    engine = start_engine(product, aws_listener, folder / "engine.log")
    user_settings = {f"RIEL_SIMULATOR_{name.upper()}": text for name, text in settings.items()}
    log_file = folder / "simulator.log"
    simulator = start_simulator(engine, listener, NAMES, log_file, user_settings)
    for taken in (*product, aws_listener, listener):
        taken.close()
    try:
        engine.wait_until_ready()
        aws = Aws(engine.endpoint)
        create_simulator_table(aws, NAMES)
        aws.client("secretsmanager").create_secret(
            Name=NAMES.secret("simulator"), SecretString=SECRET
        )
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
            until(lambda: _answers(http), bool)
            yield SimulatorStage(url, http, aws, log_file)
    finally:
        simulator.stop()
        engine.stop()


def until(look: Callable[[], Any], done: Callable[[Any], bool], seconds: float = 60) -> Any:
    """Poll with a deadline; the failure tells what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if done(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {seen}"
        time.sleep(0.05)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/charges").status_code == 200
    except httpx.TransportError:
        return False
