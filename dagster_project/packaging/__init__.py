"""From snapshot to package: profiles, rendering, holds, annexes, lineage, delta, release check, manifest. No I/O."""
