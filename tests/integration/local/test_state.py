"""Which stage runs is told by a lock, not by a file that somebody may have left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.local.errors import LocalStageError
from infra.local.platform import down, status
from infra.local.state import LocalState, StageLock, read_state, running_pid, write_state

STATE = LocalState(
    pid=os.getpid(),
    api="http://localhost:8000",
    simulator="http://127.0.0.1:8001",
    aws_endpoint="http://127.0.0.1:4566",
    region="us-east-1",
    api_id="abc",
)


def test_the_state_of_a_running_stage_is_read_back(tmp_path: Path) -> None:
    lock = StageLock(tmp_path)
    lock.acquire()
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE
    assert running_pid(tmp_path) == os.getpid()
    lock.release()


def test_a_state_that_was_left_behind_is_not_believed(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    (tmp_path / "local.lock").write_text(str(os.getpid()))
    assert status(tmp_path) is None
    assert down(tmp_path) is False


def test_a_second_stage_of_the_same_folder_is_refused(tmp_path: Path) -> None:
    lock = StageLock(tmp_path)
    lock.acquire()
    with pytest.raises(LocalStageError, match="runs already"):
        StageLock(tmp_path).acquire()
    lock.release()


def test_without_a_stage_there_is_no_state(tmp_path: Path) -> None:
    assert status(tmp_path / "absent") is None
    assert down(tmp_path / "absent") is False
