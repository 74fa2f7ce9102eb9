"""The ceiling of selection: a real gap is found, luck is not, and a share is told only of a gap that there is."""

import random

from imagewright.evals.ceiling import ceiling
from imagewright.schemas import Evidence

PROMPTS = [f"p{i}" for i in range(60)]
CELLS = {prompt: "counting" if i % 3 else "colour" for i, prompt in enumerate(PROMPTS)}
FLOWS = ("calm", "bold", "plain")


def rows(gain: float, seed: int = 1) -> list[Evidence]:
    """Scores in which ``calm`` is better by ``gain`` at counting and ``bold`` at colour; the rest is noise."""
    rng, made = random.Random(seed), []
    good = {"counting": "calm", "colour": "bold"}
    for flow in FLOWS:
        for prompt in PROMPTS:
            for number in range(4):
                value = 0.5 + gain * (good[CELLS[prompt]] == flow) + rng.uniform(-0.3, 0.3)
                made.append(
                    Evidence(flow=flow, prompt=prompt, backend="b", scorer="s", value=value, seed=number, when="2026")
                )
    return made


def test_a_real_gap_is_found_and_shared() -> None:
    perfect = {prompt: "calm" if CELLS[prompt] == "counting" else "bold" for prompt in PROMPTS}
    found = ceiling(rows(0.3), CELLS, perfect)
    assert found.low > 0
    assert 0.05 < found.gap < 0.15
    assert found.recovered is not None
    assert 0.9 < found.recovered < 1.1
    lazy = ceiling(rows(0.3), CELLS, dict.fromkeys(PROMPTS, "calm")).recovered
    assert lazy is not None
    assert abs(lazy) < 0.2


def test_luck_is_no_gap() -> None:
    found = [ceiling(rows(0.0, seed), CELLS, dict.fromkeys(PROMPTS, "plain")) for seed in range(8)]
    assert abs(sum(c.gap for c in found) / 8) < 0.02
    assert sum(c.recovered is not None for c in found) <= 1
