"""Samplers over an x0 predictor: ``table.SAMPLERS``."""
