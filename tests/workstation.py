"""The workstation's commands, run within this process."""

from click.testing import CliRunner, Result

from edgehip.errors import EdgehipError


def run(command: object, *words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])  # type: ignore[arg-type]


def refused(command: object, error: type[EdgehipError], *words: object) -> str:
    """Return the one line a command refuses with."""
    result = run(command, *words)
    assert isinstance(result.exception, error), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def figures(result: Result, name: str) -> list[str]:
    """Return RMSE, MAE and R² of a line of the printed table."""
    lines = [line for line in result.output.splitlines() if line.startswith(f"{name} ")]
    return lines[0].split()[-3:]
