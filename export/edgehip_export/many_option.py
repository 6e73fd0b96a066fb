"""An option that takes every word up to the next option: ``--to onnx tflite``."""

from collections.abc import Sequence
from typing import Any

import click


class ManyOption(click.Option):
    """A ``multiple`` option whose values may also follow one another."""

    def __init__(self, names: Sequence[str], **attributes: Any) -> None:
        super().__init__(names, **attributes | {"multiple": True})

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser's own option take more words than one."""
        super().add_to_parser(parser, ctx)
        for name in self.opts:
            option = parser._long_opt[name]
            option.process = _taking_all(option.process)


def _taking_all(process_one: Any) -> Any:
    def process(value: Any, state: Any) -> None:
        process_one(value, state)
        while state.rargs and not state.rargs[0].startswith("-"):
            process_one(state.rargs.pop(0), state)

    return process
