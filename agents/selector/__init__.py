"""The selector: one flow among those that are offered."""
