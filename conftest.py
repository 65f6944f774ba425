"""Present so that pytest puts the root on the import path: the tests share what is in `tests/support`."""
