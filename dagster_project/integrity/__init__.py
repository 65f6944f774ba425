"""Integrity: canonical JSON, digests, encryption of bodies and the key ring. No I/O, no clock."""
