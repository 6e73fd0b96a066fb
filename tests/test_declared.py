"""Whatever a program gives by mistake, it is told in one line of edgehip's own, at once."""

import inspect
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgehip
from edgehip.errors import ArgumentError, EdgehipError, ProfileError
from edgehip.events import BytesMissing, Chunk, JointAngleSample, SourceItem
from edgehip.lines import LineDecoder
from edgehip.sources import Source
from edgehip.zero import Profile
from tests.sample_model import leaky_model

UPRIGHT = Profile("standing", (0.0,) * 10, 300)
PEAK = edgehip.parse_cue("peak glmed_r > 5 N/kg")
MODEL = edgehip.load_model()


def walker() -> Source:
    return edgehip.open_source("synthetic:?speed=max")


def pipeline() -> edgehip.Pipeline:
    return edgehip.Pipeline(MODEL)


GOOD: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "open_source": (edgehip.open_source, {"url": "loop://", "baud": 9600}),
    "load_model": (edgehip.load_model, {}),
    "load_profile": (edgehip.load_profile, {"path": "there is none.json"}),
    "save_profile": (edgehip.save_profile, {"profile": UPRIGHT, "path": "no folder/me.json"}),
    "parse_cue": (edgehip.parse_cue, {"text": "glmed_r > 5 N", "body_mass_kg": 70}),
    "Pipeline": (edgehip.Pipeline, {"model": MODEL}),
    "Stream": (edgehip.Stream, {"source": walker(), "model": MODEL}),
    "Profile": (Profile, {"method": "standing", "mean_deg": (0.0,) * 10, "count": 1}),
    "from_json": (Profile.from_json, {"text": "{}", "where": "here"}),
    "save": (edgehip.snapshot.save, {"pipeline": pipeline()}),
    "restore": (edgehip.snapshot.restore, {"pipeline": pipeline(), "text": "{}"}),
    "stalled": (pipeline().stalled, {"received_ns": 0}),
    "feed": (pipeline().feed, {"item": Chunk(b"", 0)}),
    "feed_sample": (pipeline().feed_sample, {"sample": JointAngleSample(0.0, (0.0,) * 10, 0)}),
    "LineDecoder": (LineDecoder, {}),
}
NONSENSE = [
    *(None, True, 3, -1, 2**70, 1.5, math.nan, math.inf, 1j, Decimal(3), np.float32(3)),
    *("", "x", "72", "\0", "\ud800", "x" * 5000, ".", b"x", bytearray(b"x")),
    *([], [1], ["x"], (), (0.0,) * 10, {}, {"a": 1}, set(), iter([1]), range(3), slice(1)),
    *(object(), object, np.zeros(2), np.zeros(10), np.array(5), np, KeyError("a"), ...),
    *(Path("x"), Path("/"), Path("\0"), UPRIGHT, PEAK, [PEAK], (c for c in [PEAK]), MODEL),
]


def cases() -> Iterator[tuple[str, str]]:
    for name, (call, _) in GOOD.items():
        for parameter, of in inspect.signature(call).parameters.items():
            if "Callable" not in str(of.annotation):  # what it does when called is its own affair
                yield name, parameter


@pytest.mark.parametrize(("name", "parameter"), list(cases()))
def test_nonsense_is_one_line_of_edgehips_own_or_it_is_used(
    name: str, parameter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some of it is as good a file's name as any
    call, good = GOOD[name]
    told = [complaint(call, good | {parameter: value}) for value in NONSENSE]
    assert len([line for line in told if line]) >= len(NONSENSE) - 12
    assert not [line for line in told if "\n" in line]


def complaint(call: Callable[..., Any], given: dict[str, Any]) -> str:
    """Return how something is refused; nothing if it is not. Whatever else is raised passes."""
    try:
        made = call(**given)
    except EdgehipError as error:
        return str(error)
    if hasattr(made, "close"):
        made.close()
    return ""


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: edgehip.open_source(None), "open_source: url is None; it has to be a str or "),  # type: ignore[arg-type]
        (lambda: edgehip.load_model(3), "load_model: source is 3; it has to be a str or a Path"),  # type: ignore[arg-type]
        (lambda: edgehip.load_model(trusted="no"), "trusted is 'no'; it has to be True or False"),  # type: ignore[arg-type]
        (
            lambda: edgehip.Stream(walker(), MODEL, profile="me.json"),  # type: ignore[arg-type]
            "Stream: profile is 'me.json'; it has to be a Profile (as edgehip.load_profile makes "
            "one) or None",
        ),
        (
            lambda: edgehip.Stream("/dev/ttyACM0", MODEL),  # type: ignore[arg-type]
            "Stream: source is '/dev/ttyACM0'; it has to be a Source (as edgehip.open_source ",
        ),
        (
            lambda: edgehip.Pipeline(MODEL, cues=(cue for cue in [PEAK])),  # type: ignore[arg-type]
            "Pipeline: cues is of type generator; it has to be a list or tuple",
        ),
        (
            lambda: edgehip.Pipeline(MODEL, cues=[PEAK, PEAK.text]),  # type: ignore[list-item]
            "Pipeline: cues[1] is 'peak glmed_r > 5 N/kg'; it has to be a Cue",
        ),
        (lambda: edgehip.open_source("loop://", baud=0), "baud is 0; it has to be from 1 to 2147"),
        (lambda: edgehip.open_source("loop://", baud=2**31), "baud is 2147483648; it has to be"),
        (lambda: pipeline().feed(b"\1\2"), "an item is b'"),  # type: ignore[arg-type]
        (lambda: pipeline().feed(Chunk("a", 0)), "a Chunk's data is 'a'; it has to be a bytes"),  # type: ignore[arg-type]
        (lambda: pipeline().feed(Chunk(b"", 0, 1)), "an item's device is 1; it counts 1 from 0"),
        (lambda: pipeline().feed(Chunk(b"", 0, -1)), "an item's device is -1"),
        (lambda: pipeline().feed(Chunk(b"", None)), "an item's received_ns is None"),  # type: ignore[arg-type]
        (lambda: pipeline().feed_sample((0.0,) * 10), "a sample is of type tuple"),  # type: ignore[arg-type]
    ],
)
def test_it_says_what_was_given_and_what_to_give(call: Callable[[], Any], complaint: str) -> None:
    with pytest.raises(ArgumentError) as refusal:
        call()
    assert complaint in str(refusal.value)


def test_a_source_of_ones_own_is_told_what_it_lacks() -> None:
    class Mine:
        live = True
        ended = False

        def read(self, timeout_s: float) -> None: ...

        def close(self) -> None: ...

    with pytest.raises(ArgumentError, match="of type Mine, which has no devices, write; it has to"):
        edgehip.Stream(Mine(), MODEL)  # type: ignore[arg-type]


def test_what_is_as_good_is_taken(tmp_path: Path) -> None:
    class Name(os.PathLike[str]):
        def __fspath__(self) -> str:
            return str(tmp_path / "me.json")

    Path(Name()).write_text(UPRIGHT.to_json())
    assert edgehip.load_profile(Name()) == UPRIGHT
    copied = tmp_path / "mine.tflite"
    copied.write_bytes(Path(MODEL.path).read_bytes())
    assert edgehip.load_model(copied).card == MODEL.card
    with pytest.raises(EdgehipError, match="there is no such port"):
        edgehip.open_source(tmp_path / "ttyACM0")
    edgehip.Pipeline(MODEL, body_mass_kg=np.float32(70.0), correct=np.bool_(True), cues=[PEAK])  # type: ignore[arg-type]
    edgehip.Pipeline(None, sample_model=leaky_model(), body_mass_kg=70, devices=np.int64(2))  # type: ignore[arg-type]


def test_a_call_that_lacks_something_is_python_s_own_affair() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'model'"):
        edgehip.Stream(walker())  # type: ignore[call-arg]
    assert "source" in inspect.signature(edgehip.Stream).parameters
    assert edgehip.open_source.__doc__


@pytest.mark.parametrize("item", [Chunk(b"\0", 0, 2), BytesMissing(0, 1, 2)])
def test_an_item_of_a_device_that_is_not_there_changes_nothing(item: SourceItem) -> None:
    both = edgehip.Pipeline(MODEL, devices=2)
    before = edgehip.snapshot.save(both)
    with pytest.raises(ArgumentError, match="device is 2; it counts 2 from 0"):
        both.feed(item)
    assert edgehip.snapshot.save(both) == before


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"mean_deg": (0.0,) * 9}, "10 joint angles in degrees"),
        ({"mean_deg": (200.0,) * 10}, "10 joint angles in degrees"),
        ({"name": "two\nlines"}, "its name"),
        ({"measured_at": "\x1b[2J"}, "its measured_at"),
    ],
)
def test_a_profile_made_by_hand_is_one(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        replace(UPRIGHT, **changed)
