"""The nodes that this backend runs: ``table.NODES``, each a small function with ComfyUI's name, inputs and meaning."""
