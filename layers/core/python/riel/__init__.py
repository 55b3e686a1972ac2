"""Riel: a payments platform that never loses a payment, never charges twice, and tells."""

__version__ = "0.1.0"
