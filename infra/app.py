"""The CDK app. `cdk synth -c stage=prod` runs it, and so does `python -m infra.app prod`.

The first way is for deployments; by the second, `infra.synthesis` makes what the embedded engine
deploys, and one process makes all stages in little more time than one. cdk-nag looks at every
synthesis, and a finding without a written reason fails it.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.bundles import ROOT, Bundles, MissingSourceError, build_bundles
from infra.dependencies import LayerError
from infra.names import Names
from infra.stacks.stateful import StatefulStack
from infra.stacks.stateless import StatelessStack
from infra.stages import LOCAL, Stage, UnknownStageError, stage_named


def main() -> None:
    """Synthesize the stage of the context, or else those that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("stages", nargs="*", default=[LOCAL.name], help="of local, dev and prod")
    parser.add_argument("--output", type=Path, default=ROOT / "cdk.out", help="a folder for each")
    arguments = parser.parse_args()
    try:
        if "CDK_OUTDIR" in os.environ:  # The CDK command line runs us, and says where.
            _synthesize(new_app(), arguments.stages[0])
        else:
            for name in arguments.stages:
                folder = arguments.output / name
                # Assets are named by their content, so those of earlier synths would pile up.
                shutil.rmtree(folder, ignore_errors=True)
                _synthesize(new_app(str(folder)), name)
    except (UnknownStageError, MissingSourceError, LayerError) as error:
        sys.exit(f"error: {error}")
    except RuntimeError as error:
        # What JavaScript throws; findings have been printed by then, and its stack tells nothing.
        sys.exit(f"error: {str(error).splitlines()[0]}")


def _synthesize(app: cdk.App, name: str) -> None:
    stage = stage_named(app.node.try_get_context("stage") or name)
    with tempfile.TemporaryDirectory(prefix="riel-bundles-") as folder:
        add_stacks(app, stage, build_bundles(stage, Path(folder) / "bundles"))
        app.synth()


def new_app(output: str | None = None) -> cdk.App:
    """An empty app with the checks; without `output`, CDK_OUTDIR says where it goes."""
    # Only the CDK command line reads cdk.json, and both ways must give the same template.
    app = cdk.App(
        outdir=output,
        context=_context(),
        analytics_reporting=False,
    )
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


def add_stacks(app: cdk.App, stage: Stage, bundles: Bundles) -> None:
    """The two stacks of a stage, for whichever account and region they are deployed to."""
    names = Names(stage.name)
    stateful = StatefulStack(
        app,
        names.stack("stateful"),
        stage=stage,
        description=f"Riel ({stage.name}): the tables, which outlive every deployment",
        **_options(stage),
    )
    StatelessStack(
        app,
        names.stack("stateless"),
        stage=stage,
        tables=stateful,
        bundles=bundles,
        description=f"Riel ({stage.name}): the API, the functions, the queues and the alarms",
        **_options(stage),
    )


def _options(stage: Stage) -> dict[str, Any]:
    return {
        "termination_protection": stage.protects_data,
        "tags": {"project": "riel", "stage": stage.name},
        # The CDK command line checks the bootstrap's version itself before it deploys. Each stack
        # needs a synthesizer of its own: a shared one lists the assets of all stacks in each.
        "synthesizer": cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    }


def _context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


if __name__ == "__main__":
    main()
