"""The field's syntax: weights, LoRA tags, tag lists, pasted blocks, forms, alternatives. Told apart from the words."""
