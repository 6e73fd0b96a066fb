"""Personal-zero profiles: read back exactly; whatever else a file may hold is one clear line."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edgehip.channels import ANGLES
from edgehip.errors import ProfileError
from edgehip.profiles import doubt, load_profile, save_profile
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


@pytest.mark.parametrize(
    ("measured_at", "why"),
    [
        ("2026-03-05T23:59:00+01:00", None),
        ("2026-03-05T00:10:00+01:00", None),
        ("2026-03-04T23:30:00+00:00", None),  # which is already the next day here
        ("2026-03-05", None),
        ("2026-03-04T22:30:00+00:00", "measured on 2026-03-04 (1 day ago)"),
        ("2025-03-05T12:00:00+01:00", "measured on 2025-03-05 (365 days ago)"),
        ("2026-03-06T12:00:00+01:00", "measured on 2026-03-06 (a day that is to come)"),
        ("", "nobody knows when"),
        ("yesterday", "nobody knows when"),
        ("0001-01-01T00:00:00+14:00", "nobody knows when"),
    ],
)
def test_a_zero_of_another_day_is_doubted(measured_at: str, why: str | None) -> None:
    now = datetime(2026, 3, 5, 14, 0, tzinfo=timezone(timedelta(hours=1)))
    told = doubt(replace(PROFILE, measured_at=measured_at), now)
    assert (why is None) is (told is None)
    assert why is None or why in str(told)


def test_the_day_of_a_zero_is_told_with_it() -> None:
    dated = replace(PROFILE, measured_at="2026-03-05T12:00:00+01:00")
    assert dated.describe() == "standing of me (300 samples, 2026-03-05)"
    assert replace(dated, measured_at="").describe() == "standing of me (300 samples)"


@pytest.mark.parametrize("text", ["", "[]", "5", "[" * 60_000, "\x00", "{}"])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match=r"me\.json"):
        Profile.from_json(text, "me.json")


def test_a_zero_that_bears_no_date_is_kept_as_of_today(tmp_path: Path) -> None:
    save_profile(replace(PROFILE, measured_at=""), tmp_path / "me.json")
    assert doubt(load_profile(tmp_path / "me.json"), datetime.now().astimezone()) is None
    dated = replace(PROFILE, measured_at="2024-02-29T12:00:00+00:00")
    save_profile(dated, tmp_path / "me.json")
    assert load_profile(tmp_path / "me.json") == dated
