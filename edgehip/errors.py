"""Everything edgehip raises on purpose.

::

    EdgehipError
    ├── ArgumentError         a value given from Python cannot be
    ├── MissingExtraError     an optional package is not installed
    ├── ModelFileError        a file is not a model, is damaged, or lies about itself
    ├── ModelInputError       a model cannot be run on what this stream has
    ├── SourceError           a port, file or address cannot be opened or read
    ├── DeviceError           a device cannot deliver what the model needs
    ├── RecordingError        a recording cannot be written or read
    ├── DatasetError          a labelled data set is something else than it should be
    ├── TrainingError         a training run cannot be started or continued
    ├── ParityError           an exported file answers too differently from its source
    ├── ProfileError          a personal-zero profile cannot be read or written
    ├── CueError              a cue is not understood or cannot be used
    └── SnapshotError         a saved state does not fit what it is loaded into

A message says what was wrong, where, and how to mend it, in one line. Noise on a link is never an
exception: it is counted (see :mod:`edgehip.events`).
"""


class EdgehipError(Exception):
    """Base of every error edgehip raises on purpose; its text is meant for a person.

    Messages quote files and devices, which may hold anything: what would break the line or act on a
    terminal appears as a question mark.
    """

    def __str__(self) -> str:
        """Return the message, in one line."""
        return "".join(c if c.isprintable() else "?" for c in super().__str__())


class ArgumentError(EdgehipError, ValueError):
    """A value given from Python cannot be: its shape, its unit, or a word there is not."""


class MissingExtraError(EdgehipError):
    """An optional package is needed and absent.

    Parameters
    ----------
    package
        The import that failed.
    extra
        The extra of edgehip that brings it, or None for a package to be installed by itself.
    purpose
        What it was needed for, as the subject of a sentence.
    """

    def __init__(self, package: str, extra: str | None, purpose: str) -> None:
        wanted = package if extra is None else f"'edgehip[{extra}]'"
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install {wanted}")


class ModelFileError(EdgehipError):
    """A file is not an edgehip model, is damaged, or its card contradicts its contents."""


class ModelInputError(EdgehipError):
    """A model needs an input that this stream does not have (a body height, say)."""


class SourceError(EdgehipError):
    """A port, file or address cannot be opened or read."""


class DeviceError(EdgehipError):
    """A connected device does not deliver what the model needs."""


class RecordingError(EdgehipError):
    """A recording cannot be written, or what should be one is something else."""


class DatasetError(EdgehipError):
    """A labelled data set misses something, or its units, columns or values are wrong."""


class TrainingError(EdgehipError):
    """A training run cannot be started or continued as asked."""


class ParityError(EdgehipError):
    """An exported file answers too differently from the model it was made of."""


class ProfileError(EdgehipError):
    """A personal-zero profile cannot be read, written or applied."""


class SnapshotError(EdgehipError):
    """A saved state is damaged or belongs to another kind of pipeline."""


class CueError(EdgehipError):
    """A cue's text is not understood, or it asks for something this stream does not have."""
