"""Gait cycles from samples and events: whole, plausible, or none."""

import pytest

from edgehip.cycles import CycleTracker
from edgehip.events import BrokenCycle, FootOff, GaitCycle, InitialContact, JointAngleSample


def track(
    contacts: list[tuple[str, float]], *, rate_hz: float = 100.0, until_s: float = 8.0
) -> list[GaitCycle | BrokenCycle]:
    """Feed steady samples and these contacts, each confirmed 30 ms late."""
    tracker = CycleTracker()
    found = []
    waiting = sorted(contacts, key=lambda c: c[1])
    for i in range(round(until_s * rate_hz)):
        t = i / rate_hz
        tracker.add(JointAngleSample(t, (t,) * 10, 0))
        while waiting and waiting[0][1] + 0.03 <= t:
            side, time_s = waiting.pop(0)
            contact = InitialContact(side, time_s, t)  # type: ignore[arg-type]
            cycle = tracker.event(contact, 0)
            if cycle is not None:
                found.append(cycle)
    return found


def walking(first_s: float, count: int, step_s: float = 0.55) -> list[tuple[str, float]]:
    return [("lr"[i % 2], first_s + i * step_s) for i in range(count)]


def test_each_contact_after_the_first_closes_a_stride() -> None:
    cycles = track(walking(1.003, 8))
    assert len(cycles) == 6
    for cycle in cycles:
        assert isinstance(cycle, GaitCycle)
        assert cycle.stride_s == pytest.approx(1.1)
        assert cycle.sample_time_s[0] <= cycle.start_s < cycle.sample_time_s[1]
        assert cycle.sample_time_s[-2] < cycle.end_s <= cycle.sample_time_s[-1]
        assert cycle.angles_deg.shape == (len(cycle.sample_time_s), 10)
    assert [c.strides_since_gap for c in cycles if isinstance(c, GaitCycle)] == [0, 0, 1, 1, 2, 2]


def test_a_contact_that_went_unseen_makes_no_double_stride() -> None:
    seen = [c for c in walking(1.0, 12) if c != ("l", 1.0 + 4 * 0.55)]
    assert len(seen) == 11
    cycles = [cycle for cycle in track(seen) if isinstance(cycle, GaitCycle)]
    assert all(cycle.stride_s == pytest.approx(1.1) for cycle in cycles)
    since = [(round(c.start_s, 2), c.strides_since_gap) for c in cycles if c.side == "l"]
    assert since == [(1.0, 0), (4.3, 0), (5.4, 1)]


def test_a_pause_is_no_stride_and_the_first_after_it_says_so() -> None:
    cycles = track(walking(1.0, 5) + walking(7.0, 3), until_s=11.0)
    since = [(round(c.start_s, 2), c.strides_since_gap) for c in cycles if isinstance(c, GaitCycle)]
    assert since == [(1.0, 0), (1.55, 0), (2.1, 1), (7.0, 0)]


def test_two_contacts_of_a_foot_at_once_are_no_stride() -> None:
    steps = walking(1.0, 4)
    cycles = track([*steps, ("r", steps[-1][1] + 0.3)])
    assert [(c.side, round(c.start_s, 2)) for c in cycles] == [("l", 1.0), ("r", 1.55)]


def test_a_stride_whose_beginning_is_not_remembered_is_broken() -> None:
    """At a rate that would fill the memory, as of a clock that crawls."""
    cycles = track(walking(0.2, 3), rate_hz=12_000.0, until_s=1.4)
    assert [type(cycle) for cycle in cycles] == [BrokenCycle]


def test_after_a_reset_no_stride_begins_before_it() -> None:
    tracker = CycleTracker()
    for i in range(400):
        tracker.add(JointAngleSample(i / 100, (0.0,) * 10, 0))
    tracker.event(InitialContact("r", 1.0, 1.0), 0)
    tracker.reset()
    assert tracker.event(InitialContact("r", 2.1, 2.1), 0) is None


@pytest.mark.parametrize("share", [0.6, 0.74, 0.76, 1.24, 1.26, 1.9])
def test_a_stride_of_another_pace_and_the_first_after_it_are_as_after_a_pause(share: float) -> None:
    """There may be a stop in it, too short for nobody to be walking."""
    before = walking(1.0, 8)
    odd = ("l", before[-2][1] + 1.1 * share), ("r", before[-1][1] + 1.1 * share)
    after = walking(odd[0][1] + 1.1, 6)
    cycles = [c for c in track([*before, *odd, *after], until_s=14.0) if isinstance(c, GaitCycle)]
    left = [(round(c.stride_s / 1.1, 2), c.strides_since_gap) for c in cycles if c.side == "l"]
    steady = abs(share - 1.0) < 0.25
    back = abs(1.0 / share - 1.0) < 0.25
    assert left[:3] == [(1.0, 0), (1.0, 1), (1.0, 2)]
    assert left[3] == (share, 3 if steady else 0)
    assert left[4] == (1.0, left[3][1] + 1 if back else 0)
    assert left[5] == (1.0, left[4][1] + 1)


def test_foot_off_belongs_to_its_own_stride() -> None:
    tracker = CycleTracker()
    for i in range(400):
        tracker.add(JointAngleSample(i / 100, (0.0,) * 10, 0))
    tracker.event(InitialContact("r", 1.0, 1.0), 0)
    tracker.event(FootOff("r", 1.65, 1.7), 0)
    with_off = tracker.event(InitialContact("r", 2.1, 2.1), 0)
    without = tracker.event(InitialContact("r", 3.2, 3.2), 0)
    assert isinstance(with_off, GaitCycle)
    assert isinstance(without, GaitCycle)
    assert with_off.foot_off_s == 1.65
    assert without.foot_off_s is None


def test_no_foot_is_off_after_it_has_come_down_again() -> None:
    tracker = CycleTracker()
    for i in range(300):
        tracker.add(JointAngleSample(i / 100, (0.0,) * 10, 0))
    tracker.event(InitialContact("r", 1.0, 1.0), 0)
    tracker.event(FootOff("r", 2.13, 2.14), 0)
    cycle = tracker.event(InitialContact("r", 2.1, 2.15), 0)
    assert isinstance(cycle, GaitCycle)
    assert cycle.foot_off_s is None


def test_what_was_lost_before_a_stride_is_of_the_stride_before() -> None:
    tracker = CycleTracker()
    for i in range(330):
        tracker.add(JointAngleSample(i / 100, (0.0,) * 10, 0, samples_lost=2 * (i == 110)))
    strides = [tracker.event(InitialContact("r", at_s, 3.29), 0) for at_s in (0.003, 1.103, 2.203)]
    lost = [stride.samples_lost for stride in strides if isinstance(stride, GaitCycle)]
    assert lost == [2, 0]
