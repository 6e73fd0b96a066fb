"""``edgehip models``: what is bundled, and what a file says of itself."""

from pathlib import Path

import click

from edgehip.model import bundled_models, load_model
from edgehip.model_file import read_model
from edgehip.model_report import describe


@click.command()
@click.argument("file", required=False)
def models(file: str | None) -> None:
    """List the bundled models, or show what FILE (or a bundled name) says of itself."""
    if file is not None:
        model = load_model(file, trusted=False)
        click.echo(f"{model.path} ({Path(model.path).stat().st_size} bytes, {model.engine.name})")
        click.echo(describe(model.card))
        return
    for path in bundled_models():
        card, content, _ = read_model(path)
        click.echo(f"{path.name}  {len(content)} bytes  {card.kind}  {card.description}")
