"""Personal-zero profiles: read back exactly; whatever else a file may hold is one clear line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgehip.channels import ANGLES
from edgehip.errors import ProfileError
from edgehip.profiles import load_profile, save_profile
from edgehip.zero import Profile
from tests.small_disk import with_room_for

STREAM = (sys.executable, "-m", "edgehip", "stream", "--port")
PROFILE = Profile("standing", tuple(float(i) for i in range(len(ANGLES))), 300, "2026-01-01", "me")


def test_a_profile_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    save_profile(PROFILE, tmp_path / "me.json")
    assert load_profile(tmp_path / "me.json") == PROFILE
    assert [path.name for path in tmp_path.iterdir()] == ["me.json"]


def test_a_profile_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=4&duration_s=5&speed=max"
    done = subprocess.run(
        with_room_for(100, [*STREAM, port, "--calibrate=standing", "--profile=me.json"]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "edgehip: me.json: cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"edgehip_profile": 99},
        {"method": "sitting"},
        {"method": []},
        {"count": float("inf")},
        {"count": "many"},
        {"mean_deg": {}},
        {"mean_deg": dict.fromkeys(ANGLES, float("nan"))},
        {"mean_deg": dict.fromkeys(ANGLES, 10**400)},
        {"mean_deg": dict.fromkeys(ANGLES, 500.0)},
    ],
)
def test_a_profile_with_absurd_contents_is_refused(changed: dict[str, object]) -> None:
    text = json.dumps(json.loads(PROFILE.to_json()) | changed)
    with pytest.raises(ProfileError, match=r"me\.json"):
        Profile.from_json(text, "me.json")


@pytest.mark.parametrize("text", ["", "[]", "5", "[" * 60_000, "\x00", "{}"])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match=r"me\.json"):
        Profile.from_json(text, "me.json")
