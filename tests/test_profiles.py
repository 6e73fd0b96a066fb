"""Personal-zero profiles: read back exactly; whatever else a file may hold is one clear line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgehip.channels import ANGLES
from edgehip.errors import ProfileError
from edgehip.profiles import load_profile, save_profile
from edgehip.zero import Profile

PROFILE = Profile("standing", tuple(float(i) for i in range(len(ANGLES))), 300, "2026-01-01", "me")


def test_a_profile_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    save_profile(PROFILE, tmp_path / "me.json")
    assert load_profile(tmp_path / "me.json") == PROFILE
    assert [path.name for path in tmp_path.iterdir()] == ["me.json"]


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
        {"name": "\ud800"},
        {"name": "two\nlines"},
        {"name": "\x1b[2J"},
        {"name": "x" * 101},
    ],
)
def test_a_profile_with_absurd_contents_is_refused(changed: dict[str, object]) -> None:
    text = json.dumps(json.loads(PROFILE.to_json()) | changed)
    with pytest.raises(ProfileError, match=r"me\.json"):
        Profile.from_json(text, "me.json")


@pytest.mark.parametrize("name", ["Jörg Müller", "山田", "", "x" * 100])
def test_a_person_may_have_any_name(tmp_path: Path, name: str) -> None:
    profile = replace(PROFILE, name=name)
    save_profile(profile, tmp_path / "me.json")
    assert load_profile(tmp_path / "me.json") == profile


@pytest.mark.parametrize("text", ["", "[]", "5", "[" * 60_000, "\x00", "{}"])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match=r"me\.json"):
        Profile.from_json(text, "me.json")
