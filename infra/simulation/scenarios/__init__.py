"""What is played: each scenario by its name, and the workload of the random search."""

from __future__ import annotations

from infra.simulation.plays import Scenario
from infra.simulation.scenarios.cards import CARDS
from infra.simulation.scenarios.mixed import MIXED
from infra.simulation.scenarios.pipeline import PIPELINE
from infra.simulation.scenarios.refunds import REFUNDS
from infra.simulation.scenarios.vouchers import VOUCHERS
from infra.simulation.scenarios.webhooks import WEBHOOKS

__all__ = ["MIXED", "SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {
    one.name: one for one in (*CARDS, *VOUCHERS, *REFUNDS, *WEBHOOKS, *PIPELINE)
}
