"""The ablation on paper: a table for the terminal and a plot with intervals, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from imagewright.evals.paired import ArmRow, PairRow, RemovedRow

_WIDTH, _ROW, _LEFT, _RIGHT = 760, 34, 190, 90


def ablation_table(arms: Sequence[ArmRow], pairs: Sequence[PairRow], removed: Sequence[RemovedRow] = ()) -> str:
    """All as text: arms with their intervals and costs, paired differences in points, shares of failures removed."""
    lines = [f"{'arm':<24} {'right':>6}  {'95 %':>15}  {'images':>6}  {'seconds':>7}"]
    lines += [
        f"{a.arm:<24} {a.overall:6.1%}  [{a.low:6.1%}–{a.high:6.1%}]  {a.images_per_prompt:6.2f}  "
        f"{a.seconds_per_prompt:7.1f}"
        for a in arms
    ]
    if pairs:
        lines += ["", "paired differences in points, 95 %"]
        lines += [
            f"{p.a} - {p.b}:  {100 * p.difference:+.1f}  [{100 * p.low:+.1f}, {100 * p.high:+.1f}]" for p in pairs
        ]
    lines += [f"{r.a} removes {r.share:.0%} [{r.low:.0%}, {r.high:.0%}] of the failures of {r.b}" for r in removed]
    return "\n".join(lines)


def plot(arms: Sequence[ArmRow]) -> Image.Image:
    """A bar for each arm with its interval, 0 to 100 %."""
    sheet = Image.new("RGB", (_WIDTH, _ROW * (len(arms) + 1) + 16), "white")
    brush = ImageDraw.Draw(sheet)
    bottom = _ROW * len(arms) + 8
    for percent in range(0, 101, 20):
        x = _place(percent / 100)
        brush.line((x, 4, x, bottom), fill="#ddd")
        brush.text((x, bottom + 6), f"{percent} %", fill="#555", anchor="mt", font_size=12)
    for row, arm in enumerate(arms):
        middle = _ROW * row + 8 + _ROW // 2
        brush.text((_LEFT - 10, middle), arm.arm, fill="black", anchor="rm", font_size=14)
        brush.rectangle((_place(0), middle - 9, _place(arm.overall), middle + 9), fill="#4a7dbd")
        brush.line((_place(arm.low), middle, _place(arm.high), middle), fill="black", width=2)
        for end in (arm.low, arm.high):
            brush.line((_place(end), middle - 5, _place(end), middle + 5), fill="black", width=2)
        label = f"{arm.overall:.1%}  ({arm.images_per_prompt:.1f})"
        brush.text(
            (max(_place(arm.high), _place(arm.overall)) + 8, middle), label, fill="black", anchor="lm", font_size=12
        )
    return sheet


def _place(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
