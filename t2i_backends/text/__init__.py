"""Prompts to conditioning, for each family."""
