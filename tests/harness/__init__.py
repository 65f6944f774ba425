"""The harness: proves non-interference and completeness over generated scenarios. Test code, run by `make prove`."""
