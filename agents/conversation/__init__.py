"""The interpreter: what a person wants of a conversation, and what an edit does to a picture."""
