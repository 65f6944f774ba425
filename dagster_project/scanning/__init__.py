"""Leak scanning: deny lists and how text is matched against them. No I/O."""
