"""Webhooks queue to merchants' endpoints."""
