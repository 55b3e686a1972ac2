"""Where a webhook may go: real DNS, real TLS, real sockets, all on loopback (FC-70)."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from riel.app import App
from riel.clock import utc_now
from riel.domain.instants import to_text
from riel.errors import ForbiddenDestinationError
from riel.services.deliver_webhook import deliver_webhook
from riel.services.webhook_message import Webhook
from riel.store.deliveries import Delivery
from riel.webhooks.egress import Destination, check_url, resolve
from riel.webhooks.sending import Answer, WebhookClient
from tests.certificates import DAY, Authority
from tests.endpoint import Endpoint, RawEndpoint, raw_endpoint
from tests.name_server import NameServer, running_name_server

NAME = "hooks.example.com"
PUBLIC = "93.184.215.14"
PATIENCE_SECONDS = 60.0


@pytest.fixture
def names() -> Iterator[NameServer]:
    with running_name_server() as server:
        yield server


@pytest.fixture
def listener() -> Iterator[RawEndpoint]:
    """Something on this machine that no webhook may reach."""
    with raw_endpoint(ok) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def ok(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


def on_loopback(port: int, scheme: str = "https", host: str = NAME) -> Destination:
    """A destination that is judged to be on loopback, so that a test can answer there."""
    return Destination(scheme, host, port, loopback=True, target="/hook?a=b")


def attempt(
    client: WebhookClient, destination: Destination, resolver: Callable[[str, int], list[str]]
) -> Answer:
    return client.post(destination, resolver, {"webhook-id": "evt_1"}, b"{}", utc_now())


def delivered_to(app: App, url: str, turn: int = 1) -> Delivery:
    """One turn of the delivery of an event, whose message carries it."""
    at = to_text(app.clock())
    event = Webhook("demo", "pay_1", "evt_1", turn, 0, "payment.completed", url, at, "{}")
    deliver_webhook(app, event)
    delivery = app.deliveries.get("pay_1", "evt_1")
    assert delivery is not None
    return delivery


# --- names, and what they resolve to -----------------------------------------------------------


def test_fc_70_a_name_that_turns_private_is_not_called_any_more(
    names: NameServer, listener: RawEndpoint
) -> None:
    names.zone[NAME] = [[PUBLIC], ["127.0.0.1"]]
    destination = Destination("https", NAME, listener.port)
    assert resolve(destination, names.resolve, PATIENCE_SECONDS) == [PUBLIC]

    answer = attempt(WebhookClient(), destination, names.resolve)

    assert answer == Answer(0, "forbidden_destination")
    assert listener.connections == 0


def test_fc_70_an_attempt_asks_once_so_that_a_second_answer_changes_nothing(
    names: NameServer, listener: RawEndpoint
) -> None:
    names.zone[NAME] = [["127.0.0.1"], ["10.0.0.1"]]

    answer = attempt(WebhookClient(), on_loopback(listener.port, "http"), names.resolve)

    assert answer.status == 200
    assert names.lookups[NAME] == 1
    (request,) = listener.requests
    assert request.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert f"host: {NAME}:{listener.port}\r\n".encode() in request


@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        [PUBLIC, "::ffff:127.0.0.1"],
        [PUBLIC, "::ffff:8.8.8.8"],
        [PUBLIC, "64:ff9b::7f00:1"],
        [PUBLIC, "169.254.169.254"],
        ["2606:4700::1111", "fd00:ec2::254"],
    ],
)
def test_fc_70_one_forbidden_address_among_several_forbids_the_name(
    names: NameServer, listener: RawEndpoint, addresses: list[str]
) -> None:
    names.zone[NAME] = [addresses]

    answer = attempt(WebhookClient(), Destination("https", NAME, listener.port), names.resolve)

    assert answer.error == "forbidden_destination"
    assert listener.connections == 0


def test_fc_70_a_name_that_does_not_resolve_is_tried_again_and_a_forbidden_one_is_not(
    app: App, names: NameServer
) -> None:
    app.resolver = names.resolve

    unknown = delivered_to(app, f"https://{NAME}/hook")
    names.zone[NAME] = [["10.0.0.1"]]
    forbidden = delivered_to(app, f"https://{NAME}/hook", turn=2)

    assert (unknown.state, unknown.attempts[-1].error) == ("pending", "name_not_resolved")
    assert (forbidden.state, forbidden.failure) == ("failed", "forbidden_destination")
    assert forbidden.attempts[-1].error == "forbidden_destination"


def test_fc_70_a_look_up_that_hangs_is_left_behind_at_the_deadline() -> None:
    ended = Event()

    def hangs(_host: str, _port: int) -> list[str]:
        ended.wait(PATIENCE_SECONDS)
        return ["127.0.0.1"]

    answer = attempt(WebhookClient(seconds=0.2), on_loopback(9, "http"), hangs)

    assert not ended.is_set()
    assert answer == Answer(0, "name_not_resolved")
    ended.set()


def test_fc_70_a_look_up_that_hangs_does_not_keep_a_worker_from_ending() -> None:
    program = (
        "import threading\n"
        "from datetime import UTC, datetime\n"
        "from riel.webhooks.egress import Destination\n"
        "from riel.webhooks.sending import WebhookClient\n"
        "def hangs(host, port): threading.Event().wait()\n"
        "client = WebhookClient(seconds=0.2)\n"
        "now = datetime(2026, 1, 1, tzinfo=UTC)\n"
        "print(client.post(Destination('https', 'a.b', 443), hangs, {}, b'', now).error)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=PATIENCE_SECONDS, check=True
    )

    assert ended.stdout == b"name_not_resolved\n"


# --- TLS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [NAME, NAME.upper(), NAME + "."])
def test_fc_70_tls_asks_for_and_verifies_the_name_while_the_address_is_pinned(
    names: NameServer, authority: Authority, written: str
) -> None:
    names.zone[NAME] = [["127.0.0.1"]]
    host = check_url(f"https://{written}/hook").host

    with raw_endpoint(ok, authority.server(NAME)) as endpoint:
        client = WebhookClient(authority.trusted)
        answer = attempt(client, on_loopback(endpoint.port, host=host), names.resolve)

    assert (answer.status, answer.error) == (200, "")
    assert endpoint.names == [NAME]
    assert f"host: {NAME}:{endpoint.port}\r\n".encode() in endpoint.requests[0]


def test_a_public_destination_has_no_port_in_its_host_header() -> None:
    assert check_url(f"https://{NAME}:443/").host_header == NAME
    assert check_url("https://[2606:4700:0::1111]/").host_header == "[2606:4700::1111]"


@pytest.mark.parametrize("bad", ["another name", "expired", "another authority"])
def test_fc_71_bad_tls_is_a_failure_and_nothing_is_sent(
    names: NameServer, authority: Authority, tmp_path: Path, bad: str
) -> None:
    names.zone[NAME] = [["127.0.0.1"]]
    tls = {
        "another name": authority.server("other.example.com"),
        "expired": authority.server(NAME, until=utc_now() - DAY),
        "another authority": Authority(tmp_path).server(NAME),
    }[bad]

    with raw_endpoint(ok, tls) as endpoint:
        answer = attempt(
            WebhookClient(authority.trusted), on_loopback(endpoint.port), names.resolve
        )

    assert answer == Answer(0, "tls_failed")
    assert endpoint.requests == []


def test_only_public_authorities_are_trusted(names: NameServer, authority: Authority) -> None:
    names.zone[NAME] = [["127.0.0.1"]]

    with raw_endpoint(ok, authority.server(NAME)) as endpoint:
        answer = attempt(WebhookClient(), on_loopback(endpoint.port), names.resolve)

    assert answer.error == "tls_failed"


# --- what leads elsewhere ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_fc_70_a_redirect_is_a_failure_and_is_never_followed(
    app: App, endpoint: Endpoint, listener: RawEndpoint, status: int
) -> None:
    endpoint.statuses = [status]
    endpoint.headers = {"Location": listener.url}

    delivery = delivered_to(app, endpoint.url)

    assert (delivery.state, delivery.attempts[-1].status) == ("pending", status)
    assert (len(endpoint.received), listener.connections) == (1, 0)


def test_fc_70_proxies_and_credentials_of_the_machine_are_not_used(
    app: App,
    endpoint: Endpoint,
    listener: RawEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login merchant password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, listener.url)
        monkeypatch.setenv(name.lower(), listener.url)

    assert delivered_to(app, endpoint.url).state == "delivered"

    ((headers, _),) = endpoint.received
    assert not {"authorization", "proxy-authorization", "cookie"} & headers.keys()
    assert listener.connections == 0


def test_fc_70_an_address_that_was_accepted_once_is_judged_again_before_it_is_called(
    app: App,
) -> None:
    delivery = delivered_to(app, "https://169.254.169.254/latest/meta-data/")

    assert (delivery.state, delivery.failure) == ("failed", "forbidden_destination")
    with pytest.raises(ForbiddenDestinationError):
        check_url(delivery.url)
