"""The personal zero: each person's, and each sensor mounting's, own offset of every joint angle.

A constant error of 5 degrees costs the published networks 0.3 to 0.4 of normalised error, so
the zero matters as much as the network. A profile keeps what was *measured* of a person (quiet
standing, or the mean over strides); the offset to take out follows from it and from what the model
in use says it was trained on, so one profile serves every model.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES
from edgehip.declared import checked
from edgehip.errors import ProfileError
from edgehip.model_card import ModelCard
from edgehip.posture import FAR_DEG, farthest

PROFILE_FORMAT: Final = 1
Method = Literal["standing", "strides"]

MAX_NAME: Final = 100
"""Characters; what a profile says of itself stands in every record."""
MAX_OFFSET_DEG: Final = 45.0
"""A zero further from the model's is a sensor on the wrong segment, not a person."""
NO_ZERO: Final = "none"
"""What is told where no zero is in use."""


@checked
@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured of one person with one mounting of the sensors.

    ``mean_deg`` (10,) is the mean of each angle in quiet standing or over whole strides; ``count``
    says over how many samples or strides; ``measured_at`` is ISO 8601.

    Raises
    ------
    ArgumentError
        If something is of another type.
    ProfileError
        If there are not ten angles, one is no joint's, or a text cannot be written.
    """

    method: Method
    mean_deg: tuple[float, ...]
    count: int
    measured_at: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        angles = self.mean_deg
        if len(angles) != len(ANGLES) or not all(abs(angle) <= 180 for angle in angles):
            raise ProfileError(f"a zero is of {len(ANGLES)} joint angles in degrees")
        for name in ("name", "measured_at"):
            text: str = getattr(self, name)
            if len(text) > MAX_NAME or not text.isprintable():
                raise ProfileError(
                    f"its {name} has over {MAX_NAME} characters, or some that cannot be printed"
                )

    def to_json(self) -> str:
        """Return the profile as JSON, angles by name."""
        plain: dict[str, Any] = {"edgehip_profile": PROFILE_FORMAT} | asdict(self)
        plain["mean_deg"] = dict(zip(ANGLES, self.mean_deg, strict=True))
        return json.dumps(plain, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Profile":
        """Return the profile a JSON text describes.

        Raises
        ------
        ProfileError
            If the text is something else, an angle is missing or absurd, or a text cannot be
            written; ``where`` names the text.
        """
        mend = "mend it, or measure it again"
        try:
            plain = json.loads(text)
            if plain.pop("edgehip_profile") != PROFILE_FORMAT:
                raise ProfileError("a profile of another edgehip version")
            return cls(
                method=plain["method"],
                mean_deg=tuple(float(plain["mean_deg"][name]) for name in ANGLES),
                count=int(plain["count"]),
                measured_at=str(plain["measured_at"]),
                name=str(plain["name"]),
            )
        except ProfileError as error:
            raise ProfileError(f"{where}: {error}: {mend}") from error
        except (
            ArithmeticError,  # a number too large for a float
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise ProfileError(f"{where}: not a personal-zero profile: {mend}") from error

    def strength(self, card: ModelCard) -> float:
        """Return which share of the difference to what the model knows is taken out."""
        return 1.0 if self.method == "standing" or card.zero is None else card.zero.strength

    def offset_deg(self, card: ModelCard) -> NDArray[np.float64]:
        """Return what to subtract from each angle (10,) before this model sees it.

        Raises
        ------
        ProfileError
            If a difference is beyond any mounting error, a hip or knee not as in standing, or the
            model wants no zero.
        """
        if card.zero is None:
            raise ProfileError(
                f"the model {card.name} takes no personal zero: give it neither profile nor "
                "calibration"
            )
        is_standing = self.method == "standing"
        known = card.zero.standing_deg if is_standing else card.zero.stride_mean_deg
        name, bent_deg = farthest(self.mean_deg, known)
        if is_standing and abs(bent_deg) > FAR_DEG:
            raise ProfileError(
                f"{name} is {bent_deg:+.0f} degrees from how people stand: stand upright with "
                "straight legs, feet side by side and weight on both, and measure it again; or "
                "check that each sensor is on its segment, and the signs and units of the angles"
            )
        difference = np.array(self.mean_deg) - np.array(known)
        worst = int(np.argmax(np.abs(difference)))
        if abs(difference[worst]) > MAX_OFFSET_DEG:
            raise ProfileError(
                f"{ANGLES[worst]} is {difference[worst]:+.0f} degrees from what the model knows: "
                "check that each sensor is on its segment, and the signs and units of the angles"
            )
        return np.asarray(self.strength(card) * difference)

    def describe(self) -> str:
        """Return a few words for the output."""
        unit = "samples" if self.method == "standing" else "strides"
        label = f" of {self.name}" if self.name else ""
        day = f", {self.measured_at[:10]}" if self.measured_at else ""
        return f"{self.method}{label} ({self.count} {unit}{day})"


class ModelZero:
    """A personal zero, or none, as one model uses it.

    Attributes
    ----------
    offset_deg
        (10,) What to subtract from each angle before the model sees it.
    text
        A few words for the output.
    is_missed
        Whether the model wants a zero and has none, or one of which it takes nothing out.

    Raises
    ------
    ProfileError
        If the zero is none for this model (see :meth:`Profile.offset_deg`).
    """

    def __init__(self, profile: Profile | None, card: ModelCard) -> None:
        self.offset_deg: NDArray[np.float64] = (
            np.zeros(len(ANGLES)) if profile is None else profile.offset_deg(card)
        )
        self.text = NO_ZERO if profile is None else profile.describe()
        self.is_missed = card.zero is not None and (
            profile is None or profile.strength(card) == 0.0
        )
