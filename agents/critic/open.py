"""The critic for any picture that an open-vocabulary detector looks at: made anew for the words of each prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imagewright.agents.critic.detector import DetectorCritic
from imagewright.agents.critic.verdict import NoCritic
from imagewright.errors import Fault
from imagewright.ports import Detector, Picture
from imagewright.schemas import Layout, ParsedPrompt, Verdict


class OpenCritic:
    """Asks ``detector_for`` these words, and judges what it sees as the detector critic does.

    A detector whose files cannot be used checks nothing, and the verdict says why.
    Things that nobody asked for are not looked for, so none are held against a picture.
    """

    def __init__(self, detector_for: Callable[[tuple[str, ...]], Detector]) -> None:
        self.detector_for = detector_for
        self._made: dict[tuple[str, ...], Detector] = {}

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """The verdict on ``image``."""
        words = tuple(dict.fromkeys((*(group.object for group in parsed.groups), *parsed.negative)))
        if words not in self._made:
            self._made = {words: self.detector_for(words)}
        try:
            return DetectorCritic(self._made[words]).judge(image, prompt, parsed, layout, tried)
        except Fault as error:
            return NoCritic(f"{error}; {error.remedy}").judge(image, prompt, parsed, layout, tried)
