"""What all tests share."""

from hypothesis import settings

# A test never judges how fast this machine is.
settings.register_profile("edgehip", deadline=None)
settings.load_profile("edgehip")
