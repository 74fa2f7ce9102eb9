"""The categorizer: the labels of a prompt."""
