"""Pixels: what goes in, what comes out, previews, upscaling."""
