"""The values that nodes hand to one another."""
