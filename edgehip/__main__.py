"""``python -m edgehip``: the command line."""

from edgehip.cli import main

main()
