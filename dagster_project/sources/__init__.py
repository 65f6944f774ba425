"""Records: the envelope, the schemas, admission rules and conflicts. No I/O, no rendering."""
