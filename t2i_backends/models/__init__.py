"""Model files: where they lie, what they are, loading them into memory."""
