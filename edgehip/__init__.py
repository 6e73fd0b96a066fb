"""Hip muscle forces and joint moments from ten leg joint angles, live, on a Raspberry Pi."""

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.errors import EdgehipError
from edgehip.events import (
    BrokenCycle,
    Chunk,
    FootOff,
    HipEstimate,
    InitialContact,
    JointAngleSample,
    LinkChange,
    LinkFault,
)
from edgehip.model import Model, load_model
from edgehip.pipeline import Pipeline
from edgehip.runtime import Stream
from edgehip.sources import open_source
from edgehip.zero import Profile

__version__ = "0.1.0"

__all__ = [
    "ANGLES",
    "MOMENTS",
    "MUSCLES",
    "BrokenCycle",
    "Chunk",
    "EdgehipError",
    "FootOff",
    "HipEstimate",
    "InitialContact",
    "JointAngleSample",
    "LinkChange",
    "LinkFault",
    "Model",
    "Pipeline",
    "Profile",
    "Stream",
    "__version__",
    "load_model",
    "open_source",
]
