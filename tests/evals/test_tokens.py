"""What the agents read for one request stays small whatever the size of the index; a table in context does not."""

from __future__ import annotations

from imagewright.evals.tokens import INDEX_SIZES, LIMIT, measure_tokens, wordpieces

EXTRA = ("interpreter, for an edit", "polish, where asked for")
TOTALS = ("all agents", "a table in context")


def test_all_agents_together_stay_under_the_limit_at_any_size() -> None:
    rows = {row.agent: row.tokens for row in measure_tokens(wordpieces())}
    assert max(rows["all agents"]) < LIMIT
    assert len(set(rows["all agents"])) == 1, "the short list does not grow with the index"
    agents = [tokens for name, tokens in rows.items() if name not in (*TOTALS, *EXTRA)]
    assert len(agents) == 5
    carried = rows["layout planner"][0] + rows["prompt writer"][0]
    assert rows["all agents"][0] - carried + rows["interpreter, for an edit"][0] < LIMIT, "an edit asks other agents"
    assert rows["all agents"] == tuple(map(sum, zip(*agents, strict=True)))


def test_a_table_in_context_grows_with_the_index() -> None:
    table = {row.agent: row.tokens for row in measure_tokens(wordpieces())}["a table in context"]
    assert table[2] > 100 * table[0]
    assert len(table) == len(INDEX_SIZES)


def test_the_count_is_that_of_the_counter() -> None:
    rows = {row.agent: row.tokens for row in measure_tokens(lambda text: 1)}
    assert rows["categorizer"] == (1, 1, 1)
    assert rows["all agents"][0] == 5 + 768 * 768 // 750 + 2 * (336 * 336 // 750)
