"""Hip muscle forces and joint moments from ten leg joint angles, live, on a Raspberry Pi."""
