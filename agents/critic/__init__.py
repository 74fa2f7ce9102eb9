"""The critics: what is wrong with a picture, and what would cure it."""
