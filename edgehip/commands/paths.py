"""Files and folders on the command line."""

from pathlib import Path
from typing import Any

import click


class NamedPath(click.Path):
    """A path that names something: an empty one, of a variable not set, is no working directory."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{"path_type": Path, **attributes})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail."""
        if not str(value):
            self.fail("is empty: give a name", param, ctx)
        return super().convert(value, param, ctx)
