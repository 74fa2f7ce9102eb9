"""Repairs: what is tried next when a picture is not right."""
