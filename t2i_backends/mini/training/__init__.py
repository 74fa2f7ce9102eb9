"""How mini is trained; nothing of it is needed to draw."""
