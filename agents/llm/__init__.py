"""Asking a language model: models, prompts, answers, prices."""
