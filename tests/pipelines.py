"""A pipeline that is given a whole walk, and what it told of it."""

from edgehip import Pipeline
from edgehip.events import HipEstimate
from edgehip.pipeline import Event
from tests.streams import Walk


def run(pipeline: Pipeline, walk: Walk) -> list[Event]:
    return [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]


def estimates(events: list[Event]) -> list[HipEstimate]:
    return [event for event in events if isinstance(event, HipEstimate)]


def told(events: list[Event]) -> list[str]:
    """Every digit of every event, but when its bytes arrived."""
    lines = []
    for event in events:
        if isinstance(event, HipEstimate):
            curves = [*event.moments_nm_per_kg.values(), *event.forces_n_per_kg.values()]
            digits = [curve.tobytes().hex() for curve in curves]
            lines.append(f"{event.side} {event.start_s!r} {event.end_s!r} {event.flags} {digits}")
        else:
            lines.append(str(event))
    return lines
