"""``edgehip import``: released checkpoints as one model."""

from pathlib import Path

import click

from edgehip_export.checkpoint import import_checkpoints
from edgehip_export.commands.names import FILE, file_name
from edgehip_export.trained import save_trained


@click.command("import")
@click.argument("checkpoints", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=FILE, required=True, help="The model, ending in .pt.")
@click.option("--name", callback=file_name, help="The model's name, by default after its networks.")
def import_(checkpoints: tuple[Path, ...], output: Path, name: str | None) -> None:
    """Import released CHECKPOINTS of Gait2Hip-60 as one model.

    Give one checkpoint, or one for moments (JM60) and one for forces (MF60). Nothing in them is
    run.
    """
    if output.suffix != ".pt":
        raise click.BadParameter(f"{output}: must end in .pt", param_hint="--output")
    model = import_checkpoints(checkpoints, name)
    output.parent.mkdir(parents=True, exist_ok=True)
    save_trained(output, model)
    targets = " and ".join(network.target for network in model.networks)
    click.echo(f"{output}: {model.name}, {targets}")
