"""``edgehip COMMAND``: finds and loads the command, and says in one line what went wrong."""

import difflib
import importlib
import io
import os
import sys
from traceback import walk_tb
from typing import Final

import click

from edgehip import __version__
from edgehip.commands.complaint import complain
from edgehip.errors import EdgehipError, MissingExtraError
from edgehip.interrupts import INTERRUPTED, heed_interrupts

COMMANDS: Final = {
    "stream": "edgehip.commands.stream:stream",
    "devices": "edgehip.commands.devices:devices",
    "models": "edgehip.commands.models:models",
    "emulate": "edgehip.commands.emulate:emulate",
    "train": "edgehip_export.commands.train:train",
    "evaluate": "edgehip_export.commands.evaluate:evaluate",
    "collect": "edgehip_export.commands.collect:collect",
    "adapt": "edgehip_export.commands.adapt:adapt",
    "import": "edgehip_export.commands.import_:import_",
    "export": "edgehip_export.commands.export:export",
}

LOADING: Final = ("stream", "models")
"""Commands that begin by loading an engine: they have nothing to close before they say so."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if module.startswith("edgehip_export") and error.name:
                raise MissingExtraError(error.name, "export", f"edgehip {cmd_name}") from error
            raise
        assert isinstance(command, click.Command)
        if cmd_name not in LOADING:
            heed_interrupts()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the one that was meant."""
        close = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and close:
            ctx.fail(f"No such command '{args[0]}' (did you mean '{close[0]}'?)")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, HELP[name]) for name in COMMANDS])


HELP: Final = {
    "stream": "Estimate hip moments and muscle forces live, from a port, a recording or a walker.",
    "devices": "List the ports and Bluetooth devices, with what is known of them.",
    "models": "List the bundled models, or show what a model file says of itself.",
    "emulate": "Emulate a device: Cortex-M, Arduino or Bluetooth; stream from it at once.",
    "train": "Train the published networks by their protocol (workstation).",
    "evaluate": "Evaluate a model on a cohort, with tables and plots (workstation).",
    "collect": "Collect labelled strides from OpenSim's files of a walk (workstation).",
    "adapt": "Adapt a model to one person by strides labelled in a laboratory (workstation).",
    "import": "Import released checkpoints (workstation).",
    "export": "Export a model to ONNX and TFLite, quantized (workstation).",
}


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgehip")
def edgehip() -> None:
    """Hip muscle forces and joint moments from ten leg joint angles, live."""


def run() -> int | None:
    """Run the command line; an error is one line. Return the exit status."""
    if sys.stdout is None:
        complain("standard output is closed: lead it to a file, a pipe or /dev/null")
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a letter still shows the rest
    try:
        status: int | None = edgehip(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        where = f"; see '{error.ctx.command_path} --help'" if error.ctx else ""
        complain(" ".join(error.format_message().split()).rstrip(".") + where)
        return 2
    except click.Abort:
        return INTERRUPTED
    except EdgehipError as error:
        complain(str(error))
        return 1
    except OSError as error:
        complain(_refused(error))
        return 1
    return status


def _refused(error: OSError) -> str:
    """Say what the system would not do; a command that knows more of it says so itself."""
    printing = any(f.f_code is click.echo.__code__ for f, _ in walk_tb(error.__traceback__))
    if not printing:
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    # What is left in the buffer would be tried again, and fail again, when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"standard output: cannot be written: {error.strerror}"
