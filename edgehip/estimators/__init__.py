"""From gait to hip loads: one file per kind of estimate."""
