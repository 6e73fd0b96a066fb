"""What waits for a slow caller, from one device or two."""

from hypothesis import given
from hypothesis import strategies as st

from edgehip.events import BytesMissing, Chunk, PortLost, PortOpened, SourceItem
from edgehip.sources.inbox import Inbox

CAPACITY = 5


@given(st.lists(st.tuples(st.sampled_from(["chunk", "lost", "opened", "get"]), st.integers(0, 1))))
def test_of_each_device_all_comes_in_order_or_is_told_to_be_missing_in_its_place(
    does: list[tuple[str, int]],
) -> None:
    inbox = Inbox(CAPACITY)
    entrances = (inbox, inbox.beside())
    put: tuple[list[SourceItem], list[SourceItem]] = ([], [])
    got: list[SourceItem] = []
    for place, (what, device) in enumerate(does):
        item: SourceItem
        match what:
            case "chunk":
                item = Chunk(b"%d" % place, place, device)
            case "lost":
                item = PortLost(place, "gone", device)
            case "opened":
                item = PortOpened(place, "here", device)
            case _:
                got += filter(None, [inbox.get(0.0)])
                continue
        put[device].append(item)
        entrances[device].put(item)
    waiting = 0
    while (rest := inbox.get(0.0)) is not None:
        got.append(rest)
        waiting += isinstance(rest, Chunk)
    assert waiting <= CAPACITY
    for device in (0, 1):
        expected = list(put[device])
        for item in got:
            if item.device != device:
                continue
            if not isinstance(item, BytesMissing):
                assert item == expected.pop(0)
                continue
            # Ports' comings and goings are never dropped.
            missing = [e for e in expected if isinstance(e, Chunk)][: item.chunks]
            assert len(missing) == item.chunks
            expected = [e for e in expected if e not in missing]
        assert not expected
