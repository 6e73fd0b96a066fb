"""What waits for a slow reader: never more than it may, and how things stand before all else."""

import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from edgehip.sinks.outbox import Outbox

CAPACITY = 8


class SlowReader:
    """Takes the first item, and no other until it is told to read."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.has_begun, self.may_read = threading.Event(), threading.Event()

    def read(self, item: bytes) -> None:
        self.has_begun.set()
        self.may_read.wait(10.0)
        self.got.append(item)


def delivered(
    put: Callable[[Outbox[bytes]], None], capacity: int = CAPACITY
) -> tuple[list[bytes], int]:
    """Return what a reader gets that slept while all of it was put, and what was dropped."""
    reader = SlowReader()
    outbox = Outbox("test", reader.read, capacity=capacity)
    outbox.put(b"first")
    assert reader.has_begun.wait(10.0)
    put(outbox)
    reader.may_read.set()
    outbox.close(10.0)
    assert reader.got.pop(0) == b"first"
    return reader.got, outbox.dropped


def test_samples_make_room_before_a_cue_does() -> None:
    def put(outbox: Outbox[bytes]) -> None:
        for state in (b"on", b"off"):
            outbox.put(state, state_of="cue 0")
        for i in range(1000):
            outbox.put(b"%d" % i)

    got, dropped = delivered(put)
    assert got == [b"on", b"off", *(b"%d" % i for i in range(994, 1000))]
    assert dropped == 994


def test_the_last_word_of_each_cue_waits_whatever_comes() -> None:
    def put(outbox: Outbox[bytes]) -> None:
        for i in range(1000):
            outbox.put(b"%d" % i, state_of=f"cue {i % 20}")

    got, dropped = delivered(put)
    assert got == [b"%d" % i for i in range(980, 1000)]
    assert dropped == 980


ITEMS = st.lists(st.sampled_from([None, "link", *(f"cue {i}" for i in range(12))]), max_size=80)


@given(ITEMS, st.integers(1, 10))
def test_nothing_is_disordered_forgotten_or_hoarded(items: list[str | None], capacity: int) -> None:
    def put(outbox: Outbox[bytes]) -> None:
        for place, state_of in enumerate(items):
            outbox.put(b"%d" % place, state_of=state_of)

    got, dropped = delivered(put, capacity)
    places = [int(item) for item in got]
    assert places == sorted(set(places))
    assert dropped == len(items) - len(places)
    last = {about: place for place, about in enumerate(items) if about is not None}
    assert set(last.values()) <= set(places)
    assert len(places) <= max(capacity, len(last))
    assert len(places) >= min(capacity, len(items))


def test_what_need_not_be_dropped_waits_at_the_end_for_a_reader_that_begins_late() -> None:
    reader = SlowReader()
    outbox = Outbox("test", reader.read, capacity=CAPACITY, waits=lambda: True)
    items = [b"%d" % i for i in range(CAPACITY)]
    for item in items:
        outbox.put(item)
    begins = threading.Timer(0.5, reader.may_read.set)
    begins.start()
    outbox.close(timeout_s=0.0)
    begins.cancel()
    assert (reader.got, outbox.dropped) == (items, 0)


def test_who_is_told_to_stop_waits_no_longer_for_a_reader() -> None:
    reader = SlowReader()
    stopped = threading.Event()
    outbox = Outbox("test", reader.read, capacity=2, waits=lambda: not stopped.is_set())
    for item in (b"1", b"2"):
        outbox.put(item)
    assert reader.has_begun.wait(10.0)
    stops = threading.Timer(0.1, stopped.set)
    stops.start()
    outbox.close(timeout_s=0.0)
    assert stopped.is_set()
    assert outbox.dropped == 2
    reader.may_read.set()
