"""``edgehip collect``: labelled strides from OpenSim's files."""

from pathlib import Path

import click

from edgehip.channels import Side
from edgehip.commands.numbers import FiniteRange
from edgehip.given import HEIGHT_M, MASS_KG
from edgehip_export.collect import Person
from edgehip_export.collect import collect as collect_strides
from edgehip_export.commands.names import FILE, FOLDER, somebody
from edgehip_export.many_option import ManyOption
from edgehip_export.opensim_table import OpenSimTable, read_opensim_table
from edgehip_export.trained import Target


@click.command()
@click.option("--angles", type=FILE, required=True, help="Of inverse kinematics (.mot, .sto).")
@click.option("--moments", type=FILE, help="Of inverse dynamics.")
@click.option("--forces", type=FILE, help="Of static optimization.")
@click.option("--subject", required=True, metavar="ID", callback=somebody, help="Who walked.")
@click.option(
    "--body-mass", "body_mass_kg", type=FiniteRange(*MASS_KG), required=True, metavar="KG"
)
@click.option(
    "--body-height", "body_height_m", type=FiniteRange(*HEIGHT_M), required=True, metavar="M"
)
@click.option(
    "--right-contacts",
    cls=ManyOption,
    type=FiniteRange(min=0),
    metavar="S",
    help="When the right foot came to the ground, by the files' times; give these or the left "
    "ones if contacts are not to be found in the angles, as a stream finds them.",
)
@click.option("--left-contacts", cls=ManyOption, type=FiniteRange(min=0), metavar="S")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder for the NPZ files.")
def collect(
    angles: Path,
    moments: Path | None,
    forces: Path | None,
    subject: str,
    body_mass_kg: float,
    body_height_m: float,
    right_contacts: tuple[float, ...],
    left_contacts: tuple[float, ...],
    output: Path,
) -> None:
    """Collect labelled strides from OpenSim's files of a walk, for evaluate, adapt and export.

    Whole strides of either leg are written as NPZ files of Gait2Hip-60's shape: moments.npz,
    forces.npz.
    """
    labels: dict[Target, OpenSimTable] = {}
    if moments:
        labels["moments"] = read_opensim_table(moments)
    if forces:
        labels["forces"] = read_opensim_table(forces)
    if not labels:
        raise click.UsageError("give --moments, --forces, or both")
    contacts_s: dict[Side, list[float]] | None = None
    if right_contacts or left_contacts:
        contacts_s = {"r": sorted(right_contacts), "l": sorted(left_contacts)}
    person = Person(subject, body_mass_kg, body_height_m)
    cohorts, mended = collect_strides(
        read_opensim_table(angles), labels, person, output, contacts_s
    )
    for line in mended:
        click.echo(f"  {line}")
    for cohort in cohorts:
        for doubt in cohort.doubts:
            click.echo(f"  {doubt}")
        click.echo(f"{cohort.path}: {len(cohort)} strides")
