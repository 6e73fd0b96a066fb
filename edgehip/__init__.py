"""Hip muscle forces and joint moments from ten leg joint angles, live, on a Raspberry Pi."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgehip import snapshot
    from edgehip.channels import ANGLES, MOMENTS, MUSCLES
    from edgehip.cues import Cue, parse_cue
    from edgehip.errors import EdgehipError
    from edgehip.events import (
        DISTRUST,
        BrokenCycle,
        Chunk,
        CueChange,
        Fault,
        Flag,
        FootOff,
        HipEstimate,
        HipSampleEstimate,
        InitialContact,
        JointAngleSample,
        LinkChange,
        LinkFault,
        LinkState,
    )
    from edgehip.model import Model, load_model
    from edgehip.pipeline import Event, Pipeline
    from edgehip.profiles import load_profile, save_profile
    from edgehip.runtime import Stream, StreamEvent
    from edgehip.sources import Source, open_source
    from edgehip.zero import Profile

__version__ = "0.1.0"

__all__ = [
    "ANGLES",
    "DISTRUST",
    "MOMENTS",
    "MUSCLES",
    "BrokenCycle",
    "Chunk",
    "Cue",
    "CueChange",
    "EdgehipError",
    "Event",
    "Fault",
    "Flag",
    "FootOff",
    "HipEstimate",
    "HipSampleEstimate",
    "InitialContact",
    "JointAngleSample",
    "LinkChange",
    "LinkFault",
    "LinkState",
    "Model",
    "Pipeline",
    "Profile",
    "Source",
    "Stream",
    "StreamEvent",
    "__version__",
    "load_model",
    "load_profile",
    "open_source",
    "parse_cue",
    "save_profile",
    "snapshot",
]

_ROOMS = {
    "channels": ("ANGLES", "MOMENTS", "MUSCLES"),
    "cues": ("Cue", "parse_cue"),
    "errors": ("EdgehipError",),
    "events": (
        "DISTRUST",
        "BrokenCycle",
        "Chunk",
        "CueChange",
        "Fault",
        "Flag",
        "FootOff",
        "HipEstimate",
        "HipSampleEstimate",
        "InitialContact",
        "JointAngleSample",
        "LinkChange",
        "LinkFault",
        "LinkState",
    ),
    "model": ("Model", "load_model"),
    "pipeline": ("Event", "Pipeline"),
    "profiles": ("load_profile", "save_profile"),
    "runtime": ("Stream", "StreamEvent"),
    "snapshot": ("snapshot",),
    "sources": ("Source", "open_source"),
    "zero": ("Profile",),
}


if not TYPE_CHECKING:  # which knows the names above, and that there are no others

    def __getattr__(name):
        """Import a public name when it is first used: whoever needs one waits for no other."""
        for room, names in _ROOMS.items():
            if name in names:
                import importlib

                module = importlib.import_module(f"edgehip.{room}")
                value = globals()[name] = module if name == room else getattr(module, name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
