"""Where estimates go: one file per kind of output."""
