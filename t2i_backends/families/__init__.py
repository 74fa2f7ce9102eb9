"""The model families that this backend draws: ``facts`` says what they are, ``table`` how each one denoises."""
