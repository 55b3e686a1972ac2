"""What the tests of the fault simulator share."""

from __future__ import annotations

import pytest

from infra.simulation.deployment import Deployment, deployment_of


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """The local stage as its template says; of several processes, one synthesizes it."""
    return deployment_of("local")
