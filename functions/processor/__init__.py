"""Payments queue to gateway."""
