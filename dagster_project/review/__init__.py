"""Review: what people have to decide, what their decisions cover, and what may be released (rules R1 to R8)."""
