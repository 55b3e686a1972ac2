"""Places in the outbox: written, read, and in the order in which a reader comes to them."""

from __future__ import annotations

from datetime import timedelta

from riel.store.keys import SHARDS
from riel.store.outbox import Place
from tests.builders import NOON

AFTER = "2026-04-17T12:00:30.123Z#evt_1"


def test_a_place_reads_back_as_it_was_written() -> None:
    for place in (Place(NOON), Place(NOON, 15), Place(NOON, 3, AFTER), Place(NOON, 3, "a#b#")):
        assert Place.parse(str(place)) == place
    assert str(Place(NOON, 3, AFTER)) == f"2026-04-17T12:00#03#{AFTER}"


def test_places_are_in_the_order_of_minute_shard_and_sort_key() -> None:
    later = NOON + timedelta(minutes=1)
    places = [Place(NOON), Place(NOON, 0, AFTER), Place(NOON, 1), Place(NOON, 10), Place(later)]

    assert sorted(places[n] for n in (3, 0, 4, 2, 1)) == places


def test_a_reader_comes_through_every_shard_and_then_to_the_next_minute() -> None:
    place, seen = Place(NOON, 0, AFTER), []
    for _ in range(SHARDS):
        seen.append(place.shard)
        place = place.next_shard()

    assert seen == list(range(SHARDS))
    assert place == Place(NOON + timedelta(minutes=1))
