"""Draw one picture and say how it came about."""

from imagewright import Imagewright

result = Imagewright().draw(
    "a yellow star on a blue background", seed=3, flow="mini-quick", out="star.png", taken="number"
)
print(result.flow, result.seed, result.path)
for number, made in enumerate(result.rounds, 1):
    print(f"round {number}: score {made.verdict.score if made.verdict else 'none'}")
