"""How large mini's parts are, and the settings of its plain call: what the training builds and the model card says."""

from __future__ import annotations

from imagewright.t2i_backends.mini.render import SIZE

PROMPT_TOKENS = 32
"""Tokens of a prompt, with its start and end."""
LEVEL_CHANNELS: tuple[int, ...] = (16, 24, 48, 96)
"""The channels of the autoencoder's levels; each level but the first halves the sides."""
LATENT_CHANNELS = 16
GRID = SIZE // 2 ** len(LEVEL_CHANNELS)
"""Packed latent tokens a side."""
DOUBLE_BLOCKS, SINGLE_BLOCKS = 2, 6
POOLED_WIDTH = 128
"""The width of the pooled text vector."""
CALL_STEPS = 20
"""The steps of the card's call."""
CALL_GUIDANCE = 4.0
"""The guidance of the card's call."""
