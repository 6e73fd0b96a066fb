"""Options that were given and do nothing: refused, for somebody expects something of them."""

import click
from click.core import ParameterSource


def refuse_idle(*options: tuple[str, str, bool, str]) -> None:
    """Refuse what was given and does nothing: (parameter, option, whether it does, when not)."""
    source_of = click.get_current_context().get_parameter_source
    for parameter, option, does_something, when in options:
        if not does_something and source_of(parameter) is ParameterSource.COMMANDLINE:
            raise click.BadParameter(f"does nothing {when}", param_hint=option)
