"""The other end of the cable: the C side of the frame format, and emulated devices."""
