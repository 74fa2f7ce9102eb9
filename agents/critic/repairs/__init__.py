"""The repairs: one file each, which says what proposes it, when it is allowed, what it changes and how it is told."""
