"""A synthesis is checked, repeatable, and skipped where nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from infra import synthesis
from infra.stages import Stage
from infra.synthesis import CloudAssembly, SynthesisError, synthesize, synthesize_all


def test_cdk_nag_looked_at_every_stage_and_each_accepted_finding_has_a_reason(
    assemblies: dict[str, CloudAssembly], stage: Stage
) -> None:
    report = json.loads((assemblies[stage.name].folder / "validation-report.json").read_text())
    checked = {plugin["pluginName"]: plugin for plugin in report["pluginReports"]}
    for pack in ("AwsSolutions", "Serverless"):
        assert checked[pack]["violations"] == []
        for finding in checked[pack]["suppressedViolations"]:
            assert len(finding["reason"]) > 20


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project with one source, where a synthesis only counts how often it was asked for."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "app.py").write_text("one")
    monkeypatch.setattr(synthesis, "ROOT", tmp_path)
    monkeypatch.setattr(synthesis, "ASSEMBLIES", tmp_path / "cdk")
    monkeypatch.setattr(synthesis, "_run_app", _pretend_to_synthesize)
    return tmp_path


def test_a_second_synthesis_of_the_same_sources_is_skipped(project: Path) -> None:
    synthesize_all("dev", "prod")
    (project / "infra" / "app.pyc").write_text("a cache is no source")
    synthesize("prod")
    assert _runs(project, "prod") == 1


def test_a_changed_or_a_new_source_is_synthesized_anew(project: Path) -> None:
    synthesize("dev")
    (project / "infra" / "app.py").write_text("two")
    synthesize("dev")
    (project / "infra" / "more.py").write_text("")
    synthesize("dev")
    assert _runs(project, "dev") == 3


def test_a_failed_synthesis_leaves_nothing_half_made(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SynthesisError("no")

    monkeypatch.setattr(synthesis, "_run_app", fail)
    with pytest.raises(SynthesisError):
        synthesize("dev")
    assert [path.name for path in (project / "cdk").iterdir()] == [".lock"]


def test_a_finding_without_a_reason_fails_the_synthesis(tmp_path: Path) -> None:
    program = """
import sys, aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from infra.app import new_app
app = new_app(sys.argv[1])
sqs.Queue(cdk.Stack(app, "Careless"), "Queue")
app.synth()
"""
    # Without CloudFormation's own schema check, which takes seconds and is not what this is about.
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "CDK_VALIDATION": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "AwsSolutions-SQS3" in answer.stderr


def test_a_missing_node_is_one_line_of_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "_is_current", lambda *_: False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SynthesisError, match=r"install Node\.js 20 or newer") as raised:
        synthesize("local")
    assert "\n" not in str(raised.value)


def test_assets_are_zipped_to_the_same_bytes(
    assemblies: dict[str, CloudAssembly], stage: Stage
) -> None:
    assets = [asset for stack in assemblies[stage.name].stacks for asset in stack.assets]
    assert len(assets) == len(stage.functions) + 1 + stage.dependencies_layer
    for asset in assets:
        if not (asset.source / "python" / "botocore").exists():  # too large for a quick test
            assert asset.zipped() == asset.zipped()
            assert zipfile.ZipFile(BytesIO(asset.zipped())).namelist()
        assert asset.bucket_in("123456789012", "us-east-1").endswith("-123456789012-us-east-1")


def _pretend_to_synthesize(stage_names: list[str], output: Path) -> None:
    for name in stage_names:
        folder = output / name
        folder.mkdir(parents=True)
        earlier = synthesis.ASSEMBLIES / name / "runs"
        (folder / "runs").write_text((earlier.read_text() if earlier.exists() else "") + "x")
        (folder / "manifest.json").write_text('{"artifacts": {}}')


def _runs(project: Path, stage_name: str) -> int:
    return len((project / "cdk" / stage_name / "runs").read_text())
