"""`riel up` and `riel down`: the local stage in the foreground, and its end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from infra.cli.demo.endpoint import WebhookEndpoint
from infra.cli.demo.show import show_demo
from infra.cli.errors import UsageError
from infra.cli.options import JsonOption, StageOption
from infra.cli.output import print_json
from infra.cli.stage_access import LOCAL, check_stage, keep_out_user_settings
from infra.cli.starting import StartScreen
from infra.local.platform import LocalPlatform, interruptible
from infra.local.platform import down as stop_local_stage
from infra.local.seed import DEMO_WEBHOOK_SECRET


def up(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the API; 0 takes a free one.")
    ] = 8000,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Send demo payments.")] = True,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Start the local stage, show it at work, and serve until Ctrl-C."""
    _only_local(stage, f"Deploy another stage with: npx cdk deploy 'riel-{stage}-*'")
    keep_out_user_settings()
    screen = StartScreen(as_json=as_json)
    try:
        with interruptible(), screen, LocalPlatform(port, on_step=screen.on_step) as platform:
            screen.end()
            print(f"ready {platform.state.api}", flush=True)
            if demo and not as_json:
                _serve_with_demo(platform)
            platform.wait()
    except KeyboardInterrupt:
        if not as_json:
            print("stopped", flush=True)


def down(stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Stop the local stage, from anywhere."""
    _only_local(stage, f"Remove another stage with: npx cdk destroy 'riel-{stage}-*'")
    was_running = stop_local_stage()
    if as_json:
        print_json({"stopped": was_running})
    else:
        print("The local stage has stopped." if was_running else "The local stage was not running.")


def _only_local(stage: str, hint: str) -> None:
    check_stage(stage)
    if stage != LOCAL:
        raise UsageError(f"Only the local stage runs on this machine, not {stage}.", hint)


def _serve_with_demo(platform: LocalPlatform) -> None:
    """Run the demo, then serve; its webhook endpoint stays for what is tried next."""
    with WebhookEndpoint(DEMO_WEBHOOK_SECRET) as endpoint:
        try:
            show_demo(platform.state, endpoint)
        except Exception as error:  # noqa: BLE001 - a demo is never worth a stop
            print(f"The demo has ended early: {error!r}", file=sys.stderr, flush=True)
        platform.wait()
