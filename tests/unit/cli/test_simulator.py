"""`riel simulator pay` against a simulator on a socket; no stage runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli import simulator as command
from infra.cli.main import app as riel
from infra.cli.stage_access import StageAccess
from infra.local.state import LocalState
from infra.names import Names
from riel.app import App
from riel.domain.payment import Method
from tests.builders import store_payment


class Simulator:
    """Answers a payer's deposit as it is told to, and remembers what came."""

    def __init__(self) -> None:
        self.status = 200
        self.received = 10_050
        self.seen: list[tuple[str, dict[str, Any]]] = []
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                simulator.seen.append((self.path, body))
                content = json.dumps(simulator.answer(self.path)).encode()
                self.send_response(simulator.status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, path: str) -> dict[str, Any]:
        return {
            "payment_id": path.split("/")[2],
            "status": "paid" if self.received >= 10_050 else "awaiting",
            "amount": 10_050,
            "received": self.received,
            "currency": "MXN",
        }


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator()
    # The end of a test waits for the next look at whether it has come.
    thread = threading.Thread(target=simulator.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield simulator
    simulator.server.shutdown()
    simulator.server.server_close()
    thread.join()


@pytest.fixture
def payment_id(app: App, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """A voucher's payment, on a stage that is open to the command."""
    url = f"http://127.0.0.1:{simulator.server.server_port}"
    state = LocalState(1, "http://127.0.0.1:9", url, "http://127.0.0.1:9", "us-east-1", "api")
    access = StageAccess("local", app, Names("local"), {}, state)
    monkeypatch.setattr(command, "open_stage", lambda _stage: access)
    return store_payment(app, method=Method.OXXO).payment_id


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(riel, ["simulator", "pay", *arguments])
    return result.exit_code, result.output


def test_the_payer_pays_what_is_left(payment_id: str, simulator: Simulator) -> None:
    code, output = run(payment_id)

    assert (code, simulator.seen) == (0, [(f"/payments/{payment_id}/pay", {})])
    assert f"received 100.50 of 100.50 MXN for {payment_id}: paid." in output
    assert f"payments show {payment_id}" in output


def test_the_payer_pays_another_amount(payment_id: str, simulator: Simulator) -> None:
    simulator.received = 5_000

    code, output = run(payment_id, "--amount", "50", "--json")

    assert (code, simulator.seen[0][1]) == (0, {"amount": 5_000})
    assert json.loads(output) == {
        "payment_id": payment_id,
        "status": "awaiting",
        "amount": "100.50",
        "received_amount": "50.00",
        "currency": "MXN",
    }


@pytest.mark.parametrize("amount", ["0", "1e3", "-5", "50.001", "fifty"])
def test_what_is_no_amount_is_not_sent(payment_id: str, simulator: Simulator, amount: str) -> None:
    code, output = run(payment_id, f"--amount={amount}")

    assert code == 2
    assert "is not an amount" in output
    assert simulator.seen == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "has no voucher to pay: it is pending."),
        (409, "has no voucher to pay: it is pending."),
        (502, "The simulator answered HTTP 502."),
    ],
)
def test_a_refusal_is_a_sentence(
    payment_id: str, simulator: Simulator, status: int, words: str
) -> None:
    simulator.status = status

    code, output = run(payment_id)

    assert code == 1
    assert words in output


@pytest.mark.usefixtures("payment_id")
def test_an_unknown_payment_is_never_sent(simulator: Simulator) -> None:
    code, output = run("pay_aaaaaaaaaaaaaaaaaaaaaaaaaa")

    assert (code, simulator.seen) == (1, [])
    assert "There is no payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa" in output


def test_a_simulator_that_is_gone_is_a_sentence(payment_id: str, simulator: Simulator) -> None:
    simulator.server.shutdown()
    simulator.server.server_close()

    code, output = run(payment_id)

    assert code == 1
    assert "The simulator did not answer (ConnectError)." in output
