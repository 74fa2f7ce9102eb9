"""The ``comfyui`` backend: flows are drawn by ComfyUI servers that the person names."""
