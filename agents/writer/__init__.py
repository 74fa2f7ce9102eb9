"""The prompt writer: the words for one model."""
