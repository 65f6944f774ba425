"""Everything that touches another system: feeds, the landing folder, targets. It hands on and judges no record."""
