"""What must hold, whatever breaks: after every write, and when all is quiet."""

from infra.simulation.invariants.violations import Violation

__all__ = ["Violation"]
