"""The engine's process: one server, one loop, with the product's port and the AWS port.

Two listeners on one application cost less than a proxy in front of it (a fifth to two fifths
of the throughput). Run by `engine.start_engine`; commands come as lines on standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import shutil
import signal
import threading
from collections.abc import Generator
from pathlib import Path

import uvicorn
from ministack.app import app as engine
from ministack.core.concurrency import esm_wake
from ministack.services import scheduler

from infra.local.alarms import match_alarms_by_dimension
from infra.local.asgi import Application, Receive, Scope, Send
from infra.local.aws_port import AwsPort
from infra.local.processes import end_with_group, inherited_listeners, watch_parent
from infra.local.product_port import ProductPort
from infra.local.repeats import RepeatedSends

# The engine's loop that polls queues sleeps up to a second, so a message whose delay has passed
# would come up to a second late. It is woken this often instead.
_QUEUE_POLL_SECONDS = 0.1
# It looks for due schedules every ten seconds, so one of a minute would come after up to seventy.
_SCHEDULE_POLL_SECONDS = 1


class LocalGateway:
    """Send each request to the application of the port that it came in on."""

    def __init__(self, aws: Application, product: ProductPort, aws_port: int) -> None:
        self._engine = aws
        self._product = product
        self._aws = AwsPort(aws)
        self._aws_port = aws_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._engine(scope, receive, send)
        elif scope["server"][1] == self._aws_port:
            await self._aws(scope, receive, send)
        else:
            await self._product(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn, except that a signal ends it without being raised again before the clean-up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        yield

    def stop(self) -> None:
        """Leave the main loop; also called from another thread."""
        self.should_exit = True


def main() -> None:
    """Serve until the parent says so or ends, then leave no process and no file behind."""
    arguments = _arguments()
    temporary_folder = Path(arguments.temporary_folder)
    _raise_open_files_limit()
    match_alarms_by_dimension()
    scheduler._SCHEDULE_TICK_INTERVAL = _SCHEDULE_POLL_SECONDS  # noqa: SLF001 - it has no setting
    product = ProductPort(engine, concurrency=arguments.concurrency)
    aws = RepeatedSends(engine) if arguments.deliver_twice else engine
    gateway = LocalGateway(aws, product, arguments.aws_port)
    server = _Server(
        uvicorn.Config(
            gateway,
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    )
    watch_parent(on_line=product.publish, on_end=server.stop)
    threading.Thread(target=_wake_queue_pollers, name="queue-wake", daemon=True).start()
    try:
        asyncio.run(server.serve(sockets=inherited_listeners(arguments.listeners)))
    finally:
        shutil.rmtree(temporary_folder, ignore_errors=True)
        end_with_group()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listeners", required=True)
    parser.add_argument("--aws-port", type=int, required=True)
    parser.add_argument("--temporary-folder", required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--deliver-twice", action="store_true")
    return parser.parse_args()


def _raise_open_files_limit() -> None:
    """A burst opens hundreds of connections, and macOS allows 256 files by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _wake_queue_pollers() -> None:
    pause = threading.Event()
    while not pause.wait(_QUEUE_POLL_SECONDS):
        esm_wake.set()


if __name__ == "__main__":
    main()
