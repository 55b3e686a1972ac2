"""The simulator as a Lambda behind a function URL, on `dev`; `local` serves it on loopback."""

from __future__ import annotations

from functions.simulator.server import new_handler, new_poster
from riel.config import SimulatorConfig

_config = SimulatorConfig.from_environment()
handler = new_handler(_config, new_poster(_config).post_now)
