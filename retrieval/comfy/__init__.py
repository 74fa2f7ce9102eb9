"""ComfyUI workflows of every kind, read from files that people bring: converted, described, never trusted."""
