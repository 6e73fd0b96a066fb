"""Everything in edgehip that reads bytes it did not write, with good examples to start from."""

import contextlib
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from hypothesis import strategies as st

from edgehip import snapshot
from edgehip.card_json import card_from_json, card_to_json
from edgehip.channels import ANGLES
from edgehip.events import Chunk, PortLost, PortOpened
from edgehip.lines import LineDecoder
from edgehip.messages import Cue, Describe, Description
from edgehip.model import bundled_models, load_model
from edgehip.model_file import read_model, write_model
from edgehip.pipeline import Pipeline
from edgehip.profiles import load_profile
from edgehip.recording import RecordingReader, header, record
from edgehip.wire import FrameDecoder, encode
from edgehip.zero import Profile
from tests.streams import synthetic_walk

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=12), inner, max_size=6)
    ),
    max_leaves=20,
)
OPENSIM: Final = b"ik\ninDegrees=yes\nendheader\ntime\thip_flexion_r\n0.0\t1.5\n0.01\t1.75\n"
ANY: Final = st.binary(max_size=2000)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, good inputs, and how to make others up; links are not allowed to refuse."""

    name: str
    read: Callable[[bytes], object]
    good: tuple[bytes, ...]
    fresh: st.SearchStrategy[bytes] = ANY
    may_refuse: bool = True


def targets(folder: Path) -> tuple[list[Target], list[str]]:
    """Return what can be fuzzed here, by files in this folder, and why the rest cannot."""
    found = [*_link(), *_files(folder), _snapshot()]
    try:
        found += _workstation(folder)
    except ImportError as error:
        return found, [f"NPZ and checkpoint readers: {error}"]
    return found, []


def _link() -> list[Target]:
    walk = synthetic_walk(1.5, stand_s=0.2, noise_deg=0.2)
    frames = (
        b"".join(walk.frames()[:30]),
        encode(Description(100.0, 0x3FF, "rig", "1"), 1, 2) + walk.frames()[0],
        encode(Describe(), 1, 2) + encode(Cue(0, 1, 5, 0), 2, 3),
    )
    rows = zip(walk.time_s.tolist(), walk.angles_deg.tolist(), strict=True)
    lines = "\n".join(",".join(map(str, [t * 1e3, *angles])) for t, angles in rows)
    named = f"time_us,{','.join(ANGLES)},extra\n1,2,3,4,5,6,7,8,9,10,11,12\n"
    texts = (lines[:800].encode(), named.encode(), b"0,,,,,,,,,,\n1e300,nan,inf\n")
    model = load_model()

    def through(data: bytes, decoder: Callable[[], FrameDecoder | LineDecoder]) -> None:
        pipeline = Pipeline(model, decoder=decoder)
        third = len(data) // 3
        pipeline.feed(PortOpened(0, "fuzz"))
        pipeline.feed(Chunk(data[:third], 1))
        pipeline.feed(Chunk(data[third:], 10**9))
        pipeline.feed(PortLost(10**9, "gone"))
        pipeline.feed(Chunk(data[: 2 * third], 2 * 10**9))

    numbers = st.lists(st.floats().map(str) | st.text("0123456789.,-einaf \r", max_size=8))
    made_up = st.lists(numbers.map(",".join)).map("\n".join).map(str.encode)
    return [
        Target(
            "frames, to the estimates",
            lambda d: through(d, FrameDecoder),
            frames,
            may_refuse=False,
        ),
        Target(
            "text lines, to the estimates",
            lambda d: through(d, LineDecoder),
            texts,
            ANY | made_up,
            may_refuse=False,
        ),
    ]


def _from_file(
    folder: Path, name: str, read: Callable[[Path], object]
) -> Callable[[bytes], object]:
    """Return what reads bytes by way of a file."""

    def write_and_read(data: bytes) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return write_and_read


def _files(folder: Path) -> list[Target]:
    from_file = partial(_from_file, folder)

    def read_recording(path: Path) -> None:
        with contextlib.closing(RecordingReader(path)) as reader:
            for _ in reader:
                pass

    chunk = Chunk(b"abc", 5, 1)
    recording = header({"port": "x"}) + record(PortOpened(1, "x")) + record(chunk)
    card, _, _ = read_model(bundled_models()[0])
    write_model(folder / "small.onnx", b"a graph", card)
    small = (folder / "small.onnx").read_bytes()
    profile = Profile("standing", (1.0,) * 10, 300, "2026-01-01T00:00:00+00:00", "me").to_json()
    as_json = JSON.map(json.dumps).map(str.encode)
    return [
        Target("recording", from_file("r.rec", read_recording), (recording, recording * 2)),
        Target("model file", from_file("m.onnx", read_model), (small,)),
        Target(
            "model card",
            lambda data: card_from_json(data, "card"),
            (card_to_json(card).encode(),),
            ANY | as_json,
        ),
        Target("profile", from_file("p.json", load_profile), (profile.encode(),), ANY | as_json),
    ]


def _snapshot() -> Target:
    model = load_model()
    pipeline = Pipeline(model)
    for sample in synthetic_walk(3.0, stand_s=0.2).samples():
        pipeline.feed_sample(sample)
    saved = snapshot.save(pipeline)
    fresh = snapshot.save(Pipeline(model))

    def read(data: bytes) -> None:
        text = data.decode(errors="replace")
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            # As somebody would who alters a state and its hash.
            plain = json.loads(text)
            digest = hashlib.sha256(json.dumps(plain["rooms"]).encode()).hexdigest()
            text = json.dumps(plain | {"sha256": digest})
        snapshot.restore(Pipeline(model), text)

    return Target(
        "saved state", read, (fresh.encode(), saved.encode()), JSON.map(json.dumps).map(str.encode)
    )


def _workstation(folder: Path) -> list[Target]:
    import torch

    from edgehip_export.npz import read_npz
    from edgehip_export.opensim_table import read_opensim_table
    from edgehip_export.safe_load import load_tensors

    arrays = io.BytesIO()
    np.savez(arrays, X=np.zeros((2, 3), np.float32), subject=np.array(["a", "b"]))
    texts = io.BytesIO()
    np.savez_compressed(texts, subject=np.array(["a", "b"] * 9, dtype=object))
    tensors = io.BytesIO()
    torch.save({"weights": torch.zeros(2), "mean": np.zeros(2, np.float32)}, tensors)

    from_file = partial(_from_file, folder)
    return [
        Target("OpenSim table", from_file("a.sto", read_opensim_table), (OPENSIM,)),
        Target("NPZ data set", from_file("a.npz", read_npz), (arrays.getvalue(), texts.getvalue())),
        Target("PyTorch checkpoint", from_file("c.pt", load_tensors), (tensors.getvalue(),)),
    ]
