"""Reading and writing personal-zero profiles."""

import os
from pathlib import Path

from edgehip.errors import ProfileError
from edgehip.zero import Profile

MAX_BYTES = 1 << 16


def load_profile(path: Path) -> Profile:
    """Read a profile.

    Raises
    ------
    ProfileError
        If the file cannot be read or is no profile.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except OSError as error:
        raise ProfileError(
            f"{path}: cannot be read: {error.strerror}; --calibrate makes one"
        ) from error
    return Profile.from_json(content.decode(errors="replace"), str(path))


def save_profile(profile: Profile, path: Path) -> None:
    """Write a profile, whole or not at all.

    Raises
    ------
    ProfileError
        If the file cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(profile.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ProfileError(f"{path}: cannot be written: {error.strerror}") from error
