"""Outbox stream to queues."""
