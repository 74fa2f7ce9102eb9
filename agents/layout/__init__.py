"""The layout agent: where the things of a prompt go."""
