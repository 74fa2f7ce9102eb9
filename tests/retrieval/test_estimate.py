"""The estimate on synthetic worlds whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imagewright.retrieval.estimate import (
    BANDWIDTH,
    Combined,
    Estimates,
    FloatArray,
    Scores,
    Setting,
    card_bonus,
    combine_scores,
    estimate,
)

HELD_OUT = 30


class World:
    """Flows with strengths that vary from prompt to prompt, scored by ``checks`` yes-or-no questions a picture."""

    def __init__(
        self, seed: int, flows: int = 5, prompts: int = 60, seeds: int = 2, checks: int = 8, local: float = 0.08
    ) -> None:
        rng = np.random.default_rng(seed)
        place = rng.normal(size=(prompts + HELD_OUT, 4))
        distance = np.sqrt(((place[:, None] - place[None]) ** 2).sum(-1))
        self.similarity = 1 - np.clip(distance * 0.73 * BANDWIDTH, 0, 1)
        values, vectors = np.linalg.eigh(np.exp(-(1 - self.similarity) / BANDWIDTH))
        root = vectors * np.sqrt(np.clip(values, 0, None))

        def field() -> FloatArray:
            return np.asarray(root @ rng.normal(size=len(place)))

        own = np.stack([rng.normal(0, 0.05) + local * field() for _ in range(flows)])
        self.truth = np.clip(0.6 + 0.1 * field()[None] + own, 0.02, 0.98)
        grid = [(f, p) for f in range(flows) for p in range(prompts) for _ in range(seeds)]
        value = [rng.binomial(checks, self.truth[f, p]) / checks for f, p in grid]
        self.scores = as_scores([(f, p, 0, v) for (f, p), v in zip(grid, value, strict=True)], flows, prompts)
        self.prompts = prompts

    def setting(self, prompt: int) -> Setting:
        known = np.arange(self.prompts)
        flows = len(self.truth)
        return Setting(
            near=known,
            similarity=self.similarity[prompt, : self.prompts],
            among=self.similarity[: self.prompts, : self.prompts],
            shared=np.zeros(self.prompts, dtype=bool),
            kin=np.full((flows, flows), 0.6),
        )


def as_scores(rows: list[tuple[int, int, int, float]], flows: int, prompts: int) -> Scores:
    table = np.array(rows, dtype=float).reshape(-1, 4)
    whole = table[:, :3].astype(np.int64)
    return Scores(whole[:, 0], whole[:, 1], whole[:, 2], table[:, 3], np.ones(len(table)), flows, prompts)


def alone(flows: int, prompts: int, kin: float = 0.0, shared: list[int] | None = None) -> Setting:
    """A prompt with no neighbours."""
    mask = np.isin(np.arange(prompts), shared or [])
    empty = np.zeros(0)
    return Setting(empty.astype(np.int64), empty, empty.reshape(0, 0), mask, np.full((flows, flows), kin))


def at(prompt: int, flows: int, prompts: int) -> Setting:
    """The prompt that is number ``prompt`` of the evidence itself."""
    one = np.ones(1)
    return replace(alone(flows, prompts), near=np.array([prompt]), similarity=one, among=one.reshape(1, 1))


def answers(world: World) -> list[tuple[FloatArray, Estimates]]:
    combined = combine_scores(world.scores)
    held_out = range(world.prompts, world.prompts + HELD_OUT)
    return [(world.truth[:, p], estimate(combined, world.setting(p))) for p in held_out]


@pytest.mark.parametrize("options", [{}, {"checks": 3}, {"local": 0.15}, {"checks": 100}, {"seeds": 1}])
def test_intervals_cover_the_truth_of_held_out_prompts(options: dict[str, int]) -> None:
    inside = [
        (found.low <= truth) & (truth <= found.high)
        for seed in range(4)
        for truth, found in answers(World(seed, **options))
    ]
    assert 0.80 <= np.mean(inside) <= 0.97


def test_selection_by_estimate_beats_the_flow_that_is_best_on_average() -> None:
    chosen, fixed = [], []
    for seed in range(6):
        world = World(seed, local=0.15, checks=30)
        average = int(np.argmax(combine_scores(world.scores).mean.mean(axis=1)))
        for truth, found in answers(world):
            chosen.append(truth.max() - truth[np.argmax(found.mean)])
            fixed.append(truth.max() - truth[average])
    assert np.mean(chosen) < 0.8 * np.mean(fixed)


def test_the_truly_best_flow_is_found_when_one_is_clearly_best() -> None:
    rows = [(f, p, 0, [0.5, 0.8, 0.6][f] + 0.05 * (p % 3)) for f in range(3) for p in range(20)]
    found = estimate(combine_scores(as_scores(rows, 3, 20)), alone(3, 20))
    assert list(np.argsort(-found.mean)) == [1, 2, 0]
    assert list(found.count) == [20, 20, 20]


def test_a_prompt_that_was_measured_is_estimated_by_its_own_scores() -> None:
    rng = np.random.default_rng(0)
    rows = [(f, p, 0, v) for f in range(2) for p in range(10) for v in np.clip(rng.normal(0.5, 0.05, 4), 0, 1)]
    rows += [(0, 10, 0, 0.9)] * 8 + [(1, 10, 0, 0.3)] * 8
    found = estimate(combine_scores(as_scores(rows, 2, 11)), at(10, 2, 11))
    assert found.mean == pytest.approx([0.9, 0.3], abs=0.08)
    elsewhere = estimate(combine_scores(as_scores(rows, 2, 11)), at(0, 2, 11))
    assert abs(elsewhere.mean[0] - elsewhere.mean[1]) < 0.15


def test_hard_prompts_do_not_pull_a_flow_down() -> None:
    rows = [(0, p, 0, 0.2) for p in range(10)] + [(1, p, 0, 0.8) for p in range(10, 20)]
    rows += [(2, p, 0, 0.15 if p < 10 else 0.75) for p in range(20)]
    found = estimate(combine_scores(as_scores(rows, 3, 20)), alone(3, 20))
    assert abs(found.mean[0] - found.mean[1]) < 0.08
    assert found.mean[0] > found.mean[2]


def test_a_scale_of_a_scorer_does_not_matter() -> None:
    world = World(1)
    unit = combine_scores(world.scores)
    raw = replace(world.scores, value=world.scores.value * 40 - 300, scorer=np.ones_like(world.scores.scorer))
    both = Scores(*(np.concatenate([getattr(world.scores, name), getattr(raw, name)])
                    for name in ("flow", "prompt", "scorer", "value", "weight")), 5, world.prompts)  # fmt: skip
    order = np.argsort(-estimate(unit, alone(5, 60)).mean)
    assert list(order) == list(np.argsort(-estimate(combine_scores(raw), alone(5, 60)).mean))
    assert list(order) == list(np.argsort(-estimate(combine_scores(both), alone(5, 60)).mean))


def test_a_weighty_score_counts_as_several() -> None:
    rows = [(0, p, 0, 0.5) for p in range(4)] + [(1, p, 0, 0.5) for p in range(4)] + [(0, 4, 0, 1.0)]
    light = as_scores(rows, 2, 5)
    weight = np.where(light.prompt == 4, 3.0, 1.0)
    means = [estimate(combine_scores(s), at(4, 2, 5)).mean[0] for s in (light, replace(light, weight=weight))]
    assert means[1] > means[0] > 0.5


def test_a_lone_thumb_on_a_new_prompt_speaks_for_its_flow() -> None:
    rows = [(f, p, 0, 0.6) for f in range(2) for p in range(10)] + [(0, 10, 1, 0.0)]
    found = estimate(combine_scores(as_scores(rows, 2, 11)), at(10, 2, 11))
    assert found.mean[0] < found.mean[1]


def test_categories_are_believed_before_the_flows_mean() -> None:
    rows = [(f, p, 0, 0.8 if (p < 10) == (f == 0) else 0.5) for f in range(2) for p in range(20)]
    combined = combine_scores(as_scores(rows, 2, 20))
    counting = estimate(combined, alone(2, 20, shared=list(range(10)))).mean
    spatial = estimate(combined, alone(2, 20, shared=list(range(10, 20)))).mean
    assert counting[0] > counting[1] + 0.1
    assert spatial[1] > spatial[0] + 0.1


def test_far_from_all_evidence_the_interval_is_wider() -> None:
    world = World(2)
    combined = combine_scores(world.scores)
    near, far = estimate(combined, at(0, 5, 60)), estimate(combined, alone(5, 60))
    assert ((near.high - near.low) < (far.high - far.low)).all()


def test_without_any_evidence_all_are_alike_and_nothing_is_claimed() -> None:
    found = estimate(combine_scores(as_scores([], 3, 0)), alone(3, 0))
    assert list(found.mean) == [0.5] * 3
    assert (found.high - found.low > 0.6).all()
    assert list(found.count) == [0, 0, 0]


def cold_start() -> Combined:
    """Two measured flows, one good and one bad, and two without scores."""
    rows = [(0, p, 0, 0.9) for p in range(20)] + [(1, p, 0, 0.4) for p in range(20)]
    return combine_scores(as_scores(rows, 4, 20))


def test_a_flow_without_scores_starts_from_its_kin() -> None:
    kin = np.eye(4)
    kin[2, 0] = kin[0, 2] = 0.8
    kin[3, 1] = kin[1, 3] = 0.8
    found = estimate(cold_start(), replace(alone(4, 20), kin=kin))
    assert found.mean[0] > found.mean[2] > found.mean[3] > found.mean[1]


def test_a_stranger_has_the_common_level_and_the_widest_interval() -> None:
    kin = np.eye(4)
    kin[2, 0] = kin[0, 2] = 0.8
    found = estimate(cold_start(), replace(alone(4, 20), kin=kin))
    width = found.high - found.low
    assert found.mean[3] == pytest.approx(cold_start().grand, abs=0.02)
    assert width[3] >= width[2] > width[0]


def test_a_fitting_card_lifts_within_the_interval_and_scores_soon_take_over() -> None:
    data = cold_start()
    plain = estimate(data, alone(4, 20))
    lifted = estimate(data, replace(alone(4, 20), fit=np.array([1.0, 1.0, 1.0, 0.0])))
    assert lifted.mean[2] > plain.mean[2] + 0.1
    assert lifted.mean[3] == plain.mean[3]
    assert (lifted.mean <= lifted.high).all()
    assert lifted.mean[2] - plain.mean[2] > 5 * (lifted.mean[0] - plain.mean[0])
    assert (np.diff(card_bonus(data, np.array([0.0, 0.0, 1.0, 0.5]), np.ones(4))[[1, 3, 2]]) > 0).all()


def test_everything_stays_within_zero_and_one() -> None:
    rows = [(0, p, 0, 1.0) for p in range(5)] + [(1, p, 0, 0.0) for p in range(5)]
    for setting in (alone(2, 5), at(0, 2, 5), replace(at(0, 2, 5), fit=np.ones(2))):
        found = estimate(combine_scores(as_scores(rows, 2, 5)), setting)
        for part in (found.low, found.mean, found.high):
            assert ((part >= 0) & (part <= 1)).all()
        assert ((found.low <= found.mean) & (found.mean <= found.high)).all()
