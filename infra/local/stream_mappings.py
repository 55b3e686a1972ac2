"""Takes the deployed stream mappings over from the engine, and keeps one poller for each.

A mapping that was deployed as enabled is disabled on the engine, so that the engine's own poller
leaves it alone; all its other settings stay readable there and are read again now and then.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.aws import Aws
from infra.local.stream_decisions import StreamSettings
from infra.local.stream_poller import AgeObserver, StreamPoller

logger = logging.getLogger(__name__)

_REFRESH_SECONDS: Final = 2.0


class StreamMappings:
    """All stream mappings of the engine, polled by threads of this process."""

    def __init__(self, aws: Aws, observe_age: AgeObserver, readers: int = 1) -> None:
        """`readers` poll each shard on their own, so that two deliver every record twice."""
        self._aws = aws
        self._readers = readers
        self._observe_age = observe_age
        self._pollers: dict[str, list[StreamPoller]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream-mappings", daemon=True)

    def start(self) -> None:
        """Take over what is deployed now, and watch for changes."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Stop all pollers after the batches under way."""
        self._stopping.set()
        for pollers in self._pollers.values():
            for poller in pollers:
                poller.stop()

    def is_alive(self) -> bool:
        """Say whether every poller still runs; one ends by itself only through a defect."""
        pollers = [poller for group in list(self._pollers.values()) for poller in group]
        return self._thread.is_alive() and all(poller.is_alive() for poller in pollers)

    def refresh(self) -> None:
        """Take over new mappings, follow changed settings, drop deleted mappings."""
        mappings = {m["UUID"]: m for m in self._stream_mappings()}
        for mapping_id, mapping in mappings.items():
            if mapping_id in self._pollers:
                for poller in self._pollers[mapping_id]:
                    poller.settings = StreamSettings.from_mapping(mapping)
            elif mapping.get("State") != "Disabled":
                self._take_over(mapping_id, mapping)
        for mapping_id in self._pollers.keys() - mappings.keys():
            for poller in self._pollers.pop(mapping_id):
                poller.stop()

    def _stream_mappings(self) -> list[dict[str, Any]]:
        pages = self._aws.functions.get_paginator("list_event_source_mappings").paginate()
        mappings = [dict(m) for page in pages for m in page["EventSourceMappings"]]
        return [m for m in mappings if ":dynamodb:" in str(m.get("EventSourceArn"))]

    def _take_over(self, mapping_id: str, mapping: dict[str, Any]) -> None:
        self._aws.functions.update_event_source_mapping(UUID=mapping_id, Enabled=False)
        stream = self._aws.streams.describe_stream(StreamArn=mapping["EventSourceArn"])
        shards = stream["StreamDescription"]["Shards"]
        self._pollers[mapping_id] = [
            StreamPoller(self._aws, mapping, shard["ShardId"], self._observe_age)
            for shard in shards
            for _ in range(self._readers)
        ]
        for poller in self._pollers[mapping_id]:
            poller.start()

    def _run(self) -> None:
        while not self._stopping.wait(_REFRESH_SECONDS):
            try:
                self.refresh()
            except (BotoCoreError, ClientError) as error:
                logger.warning("stream mappings: %s", error)
