"""The workstation's commands, ``train`` to ``export``: one file each."""
