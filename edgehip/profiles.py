"""Reading and writing personal-zero profiles."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edgehip.declared import checked
from edgehip.errors import ProfileError
from edgehip.whole_file import write_file
from edgehip.zero import Profile

MAX_BYTES = 1 << 16


@checked
def load_profile(path: str | os.PathLike[str]) -> Profile:
    """Read a profile; :func:`doubt` says whether it is of another day, and so perhaps wrong.

    Raises
    ------
    ArgumentError
        If it is neither a text nor a path.
    ProfileError
        If the file cannot be read or is no profile.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES)
    except (OSError, ValueError) as error:  # the name itself may be none
        reason = getattr(error, "strerror", error)
        raise ProfileError(
            f"{path}: cannot be read: {reason}; 'edgehip stream --calibrate' makes one"
        ) from error
    return Profile.from_json(content.decode(errors="replace"), str(path))


def doubt(profile: Profile, now: datetime) -> str | None:
    """Return why a profile may be of another mounting of the sensors; None for one of today.

    Parameters
    ----------
    profile
        What is to be used.
    now
        With its time zone, whose midnights count.
    """
    try:
        at = datetime.fromisoformat(profile.measured_at)
        measured = (at if at.tzinfo is None else at.astimezone(now.tzinfo)).date()
    except (ValueError, OverflowError):
        return "nobody knows when this zero was measured"
    days = (now.date() - measured).days
    if not days:
        return None
    ago = f"{days} {'day' if days == 1 else 'days'} ago" if days > 0 else "a day that is to come"
    return f"this zero was measured on {measured} ({ago})"


@checked
def save_profile(profile: Profile, path: str | os.PathLike[str]) -> None:
    """Write a profile, whole or not at all; one that bears no date was measured now.

    Raises
    ------
    ArgumentError
        If one is no profile, or the other neither a text nor a path.
    ProfileError
        If the file cannot be written.
    """
    if not profile.measured_at:
        now = datetime.now().astimezone()
        profile = replace(profile, measured_at=now.isoformat(timespec="seconds"))
    try:
        write_file(os.fspath(path), profile.to_json().encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise ProfileError(f"{path}: cannot be written: {reason}") from error
