"""The tags of a card that say how its flow is run. A flow is run as it was measured, or its evidence says little."""

REGIONS = "regions"
"""Measured, and meant to be run, with the planned layout; not offered where a request wants no layout."""
WORDS_ONLY = "words-only"
"""Measured, and meant to be run, from the words alone: no box governs the picture, outside of conversations."""
