"""The model families that this backend draws: one class in one file each; ``table`` finds them."""
