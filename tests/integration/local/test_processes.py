"""Nothing of the local stage survives the process that started it, however that ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.engine import remove_abandoned_folders
from infra.local.errors import LocalStageError
from infra.local.listeners import internal_listener, port_of, product_listeners
from infra.local.processes import PROJECT_FOLDER, clean_environment

PROGRAM = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from infra.local.aws import Aws
    from infra.local.deployment import deploy
    from infra.local.engine import start_engine
    from infra.local.listeners import internal_listener, port_of, product_listeners
    from tests.integration.local.sample_stack import sample_assembly

    folder = Path(sys.argv[1])
    product, aws = product_listeners(0), internal_listener(0)
    engine = start_engine(product, aws, folder / "engine.log")
    engine.wait_until_ready()
    client = Aws(engine.endpoint)
    deploy(client, sample_assembly(folder), {})
    client.functions.invoke(FunctionName="api", Payload=b'{"rawPath": "/", "headers": {}, '
        b'"rawQueryString": ""}')
    print(engine.process.pid, engine.temporary_folder, flush=True)
    sys.stdin.readline()
    engine.stop()
    """
)


def _until(is_done: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not is_done() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_done()


def _group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.engine
@pytest.mark.parametrize("end", ["politely", "by SIGKILL"])
def test_no_process_and_no_folder_is_left(tmp_path: Path, end: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    starter = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_FOLDER,
        env=environment,
    )
    assert starter.stdout is not None
    assert starter.stdin is not None
    group, folder = starter.stdout.readline().split()
    assert Path(folder).is_dir()
    if end == "by SIGKILL":
        starter.kill()
    else:
        starter.stdin.write("\n")
        starter.stdin.flush()
    starter.wait(timeout=60)
    assert _until(lambda: _group_is_gone(int(group)))
    assert _until(lambda: not Path(folder).exists())
    starter.stdin.close()
    starter.stdout.close()


def test_folders_of_stages_that_were_all_killed_are_removed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name, owner in (("riel-local-dead", ended.pid), ("riel-local-alive", os.getpid())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "owner.pid").write_text(str(owner))
    remove_abandoned_folders()
    assert [folder.name for folder in tmp_path.iterdir()] == ["riel-local-alive"]


def test_nothing_of_the_users_environment_reaches_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real one")
    monkeypatch.setenv("GITHUB_TOKEN", "a real one")
    environment = clean_environment(tmp_path)
    assert "a real one" not in environment.values()
    assert environment["HOME"] == str(tmp_path)


def test_a_taken_product_port_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalStageError) as error:
            product_listeners(port)
    assert str(port) in error.value.message
    assert "PORT=" in error.value.hint


def test_a_port_that_is_taken_on_ipv6_only_is_taken() -> None:
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    with other, pytest.raises(LocalStageError):
        product_listeners(other.getsockname()[1])


def test_an_internal_port_gives_way_when_it_is_taken() -> None:
    with internal_listener(0) as first, internal_listener(port_of(first)) as second:
        assert port_of(second) != port_of(first)
        assert second.getsockname()[0] == "127.0.0.1"


def test_signals_are_what_the_command_line_expects() -> None:
    """`down` sends SIGTERM; `interruptible` must turn it into KeyboardInterrupt."""
    program = (
        "import os, signal\n"
        "from infra.local.platform import interruptible\n"
        "try:\n"
        "    with interruptible():\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    print('orderly')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=PROJECT_FOLDER,
        env=environment,
        timeout=30,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert answer.stdout.strip() == "orderly"
