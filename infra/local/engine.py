"""The embedded AWS engine (ministack) as a child process: stands in for the AWS account."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalStageError
from infra.local.inspection import read_json
from infra.local.listeners import port_of
from infra.local.processes import ChildProcess, clean_environment, descriptor_list, start_child
from infra.local.product_port import CONCURRENT_REQUESTS

REGION = "us-east-1"
ACCOUNT = "000000000000"
# More than all warm workers together: a net against a burst that would fork without end.
ACCOUNT_CONCURRENCY = 64
_FOLDER_PREFIX = "riel-local-"
_OWNER_FILE = "owner.pid"
_START_SECONDS = 30.0


@dataclass
class Engine:
    """The running engine; `publish` opens the product's port, `stop` ends everything."""

    process: ChildProcess
    endpoint: str
    temporary_folder: Path

    def publish(self, api_id: str) -> None:
        """Let the product's port serve this HTTP API."""
        self.process.tell(api_id)

    def wait_until_ready(self) -> None:
        """Return when the AWS endpoint answers; raise LocalStageError when it can not."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.is_alive():
            with contextlib.suppress(OSError):
                read_json(f"{self.endpoint}/_ministack/health")
                return
            time.sleep(0.02)
        raise LocalStageError(
            f"The AWS engine did not start: {self.process.last_words()}",
            f"Its log is {self.process.log_file}.",
        )

    def stop(self) -> None:
        """Stop the engine, its workers, and remove its temporary folder."""
        self.process.stop()
        shutil.rmtree(self.temporary_folder, ignore_errors=True)


def start_engine(
    product: list[socket.socket],
    aws: socket.socket,
    log_file: Path,
    *,
    deliver_twice: bool = False,
) -> Engine:
    """Start the engine's process on the given listeners; it answers in about 0.3 s."""
    remove_abandoned_folders()
    temporary_folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    (temporary_folder / _OWNER_FILE).write_text(str(os.getpid()))
    aws_port = port_of(aws)
    listeners = [*product, aws]
    settings = _engine_settings(aws_port, temporary_folder)
    process = start_child(
        "AWS engine",
        "infra.local.engine_server",
        arguments=[
            f"--listeners={descriptor_list(listeners)}",
            f"--aws-port={aws_port}",
            f"--temporary-folder={temporary_folder}",
            f"--concurrency={CONCURRENT_REQUESTS}",
            *(["--deliver-twice"] if deliver_twice else []),
        ],
        environment=clean_environment(temporary_folder, **settings),
        listeners=listeners,
        log_file=log_file,
    )
    return Engine(process, f"http://127.0.0.1:{aws_port}", temporary_folder)


def _engine_settings(aws_port: int, temporary_folder: Path) -> dict[str, str]:
    return {
        "GATEWAY_PORT": str(aws_port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "STATE_DIR": str(temporary_folder / "state"),
        "S3_DATA_DIR": str(temporary_folder / "s3"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_WARM_TTL_SECONDS": "86400",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(ACCOUNT_CONCURRENCY),
        # A socket that does not exist: the engine must not look for containers to remove.
        "DOCKER_HOST": "unix:///nonexistent",
        "LOG_LEVEL": "WARNING",
    }


def remove_abandoned_folders() -> None:
    """Remove the temporary folders of stages whose processes were all killed at once."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int((folder / _OWNER_FILE).read_text())
            if not _is_running(owner):
                shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
