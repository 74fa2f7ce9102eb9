"""The index's tables in SQLite: flows, evidence, the prompts of evidence, and the generation number.

Functions over one connection; the caller holds the transaction. Each row of flows and prompts carries the
generation of its last change, from which the mirror in Chroma is brought up to date.
"""

from __future__ import annotations

import difflib
import hashlib
import heapq
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from imagewright.errors import BadInput
from imagewright.flow_format import graph_hash, shape_hash
from imagewright.retrieval import flow_facts
from imagewright.retrieval.chroma_mirror import Space
from imagewright.retrieval.embed import Vector, pack_vector, read_vector
from imagewright.retrieval.evidence import PromptFacts
from imagewright.schemas import Card, Evidence, Flow

Origin = Literal["built-in", "user"]
OWNER = "retrieval"
EMBEDDER = "embedder"
"""The fact that names the embedder whose vectors there are; an index that does not say is taken as it is."""
INDEX_TABLES = (
    """
    CREATE TABLE index_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO index_facts VALUES ('generation', '0');
    CREATE TABLE flows (
        id TEXT PRIMARY KEY, card TEXT NOT NULL, graph TEXT NOT NULL, graph_hash TEXT NOT NULL,
        shape_hash TEXT NOT NULL, origin TEXT NOT NULL, vector BLOB NOT NULL, changed INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX flows_by_shape ON flows (shape_hash);
    CREATE TABLE prompts (
        id TEXT PRIMARY KEY, text TEXT NOT NULL, parsed TEXT, categories TEXT NOT NULL, vector BLOB NOT NULL,
        changed INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE evidence (
        flow TEXT NOT NULL, graph_hash TEXT NOT NULL, prompt TEXT NOT NULL REFERENCES prompts (id),
        backend TEXT NOT NULL, scorer TEXT NOT NULL, seed INTEGER NOT NULL, source TEXT NOT NULL,
        value REAL NOT NULL, seconds REAL, at TEXT NOT NULL, origin TEXT NOT NULL,
        PRIMARY KEY (flow, graph_hash, prompt, backend, scorer, seed, source)
    ) WITHOUT ROWID;
    """,
    flow_facts.STEP,
    """
    DROP INDEX IF EXISTS flows_by_shape;
    CREATE INDEX IF NOT EXISTS flows_by_shape_and_origin ON flows (shape_hash, origin);
    CREATE INDEX IF NOT EXISTS flow_facts_by_graph ON flow_facts (graph_hash, title);
    """,
)
"""The last step lets the thousandth flow of one shape be stored as fast as the first."""
BULK = 5000
"""A change of more scores than that is not listed row by row: what was made of the scores is made anew."""
_BATCH = 4096


def prompt_id(text: str) -> str:
    """The id of a prompt in tables and mirror: the SHA-256 of its text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


# --- facts and generation -------------------------------------------------------------------


def fact(db: sqlite3.Connection, name: str) -> str:
    """A named value of the index; empty when never set."""
    row = db.execute("SELECT value FROM index_facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def set_fact(db: sqlite3.Connection, name: str, value: str) -> None:
    """Set a named value of the index."""
    db.execute("INSERT OR REPLACE INTO index_facts VALUES (?, ?)", (name, value))


def generation(db: sqlite3.Connection) -> int:
    """The number that every change raises."""
    return int(fact(db, "generation"))


def bump(db: sqlite3.Connection) -> int:
    """Raise the generation, inside the transaction of the change; the new number."""
    number = generation(db) + 1
    set_fact(db, "generation", str(number))
    return number


# --- flows ----------------------------------------------------------------------------------


def put_flow(db: sqlite3.Connection, flow: Flow, vector: Sequence[float], origin: Origin, changed: int) -> str:
    """Insert or replace a flow, and what is known of every flow at a glance; the hash of its graph."""
    mine, shape = graph_hash(flow.graph), shape_hash(flow.graph, flow.card.slots)
    db.execute(
        "INSERT OR REPLACE INTO flows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (flow.id, flow.card.model_dump_json(exclude_defaults=True), json.dumps(flow.graph), mine, shape, origin,
         pack_vector(vector), changed),
    )  # fmt: skip
    flow_facts.put(db, flow, mine, shape, origin, changed)
    return mine


def find_same(db: sqlite3.Connection, flow: Flow) -> str | None:
    """The id of a stored flow with the graph and the card of ``flow``: added again, it would be nothing new."""
    query = """
        SELECT s.id, s.card FROM flow_facts f JOIN flows s ON s.id = f.id
        WHERE f.graph_hash = ? AND f.title = ? ORDER BY f.id
    """
    wanted = strip_card(flow.card)
    for row in db.execute(query, (graph_hash(flow.graph), flow.card.title)):
        if strip_card(Card.model_validate_json(row["card"])) == wanted:
            return str(row["id"])
    return None


def free_id(db: sqlite3.Connection, wanted: str) -> str:
    """``wanted``, or ``wanted-2``, ``wanted-3``… one that is not taken; the first of them, unless some were removed.

    It is found by doubling and halving: thousands of files may be called the same.
    """
    if not has_flow(db, wanted):
        return wanted
    taken, free = 1, 2
    while has_flow(db, f"{wanted}-{free}"):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        taken, free = (middle, free) if has_flow(db, f"{wanted}-{middle}") else (taken, middle)
    return f"{wanted}-{free}"


def strip_card(card: Card) -> Card:
    """The card without what depends on the other flows of the index and on the file that it came from."""
    return card.model_copy(update={"duplicate_of": None, "source": ""})


def drop_flow(db: sqlite3.Connection, flow_id: str, changed: int) -> None:
    """Remove a flow; its scores stay."""
    db.execute("DELETE FROM flows WHERE id = ?", (flow_id,))
    flow_facts.drop(db, flow_id, changed)


def flow_from(row: sqlite3.Row) -> Flow:
    """The flow of a row of ``flows``.

    Raises:
        BadInput: what is stored is no flow any more.
    """
    try:
        return Flow(id=row["id"], graph=json.loads(row["graph"]), card=Card.model_validate_json(row["card"]))
    except ValueError:
        remedy = f"imagewright flows remove {row['id']}, then add it again"
        raise BadInput(f"the flow {row['id']!r} is damaged in the database", remedy) from None


def read_flow(db: sqlite3.Connection, flow_id: str) -> Flow:
    """The flow called ``flow_id``, which is there."""
    return flow_from(db.execute("SELECT id, card, graph FROM flows WHERE id = ?", (flow_id,)).fetchone())


def mean_seconds(db: sqlite3.Connection, flow_id: str, graph: str, backend: str) -> list[float]:
    """The seconds of the pictures that a flow's scores on ``backend`` are about, where they are told."""
    query = "SELECT seconds FROM evidence WHERE flow = ? AND graph_hash = ? AND backend = ? AND seconds IS NOT NULL"
    return [float(row["seconds"]) for row in db.execute(query, (flow_id, graph, backend))]


def count_beyond(db: sqlite3.Connection, number: int) -> bool:
    """Whether there are more than ``number`` flows."""
    return db.execute("SELECT 1 FROM flow_facts LIMIT 1 OFFSET ?", (number,)).fetchone() is not None


def has_flow(db: sqlite3.Connection, flow_id: str) -> bool:
    """Whether a flow is called ``flow_id``."""
    return db.execute("SELECT 1 FROM flows WHERE id = ?", (flow_id,)).fetchone() is not None


def miss_flow(db: sqlite3.Connection, flow_id: str) -> BadInput:
    """That no flow is called ``flow_id``; the remedy names close matches."""
    close = difflib.get_close_matches(flow_id, sorted(flow_origins(db)), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "see them with: imagewright flows list"
    return BadInput(f"no flow is called {flow_id[:80]!r}", hint)


def same_shape(db: sqlite3.Connection, flow: Flow) -> str | None:
    """The id of another flow that draws the same pictures: the first by name, built-in before the user's."""
    row = db.execute(
        "SELECT id FROM flows WHERE shape_hash = ? AND id != ? ORDER BY origin, id LIMIT 1",
        (shape_hash(flow.graph, flow.card.slots), flow.id),
    ).fetchone()
    return str(row[0]) if row else None


def flow_origins(db: sqlite3.Connection) -> dict[str, str]:
    """Each flow's id with ``built-in`` or ``user``."""
    return {row["id"]: row["origin"] for row in db.execute("SELECT id, origin FROM flows")}


# --- vectors --------------------------------------------------------------------------------


def ids(db: sqlite3.Connection, space: Space) -> dict[str, int]:
    """Every id of a space with the generation of its last change."""
    return {row["id"]: row["changed"] for row in db.execute(f"SELECT id, changed FROM {space}")}


def vectors(
    db: sqlite3.Connection, space: Space, wanted: Iterable[str] | None = None, dimension: int = 0
) -> dict[str, Vector]:  # fmt: skip
    """The unit vectors of ``wanted``, or of the whole space, by id; those that do not fit are left out.

    They fit where they are of ``dimension`` numbers; for 0, which reads the whole space, of as many as most.
    """
    size = dimension or common_dimension(db)
    query = f"SELECT id, vector FROM {space}"
    rows: Iterable[sqlite3.Row] = (
        db.execute(f"{query} ORDER BY id")
        if wanted is None
        else (row for key in wanted for row in db.execute(f"{query} WHERE id = ?", (key,)))
    )
    found = ((row["id"], read_vector(row["vector"], size)) for row in rows)
    return {key: vector for key, vector in found if vector is not None}


def find_best(
    db: sqlite3.Connection, space: Space, vector: Vector, k: int, since: int, known: Mapping[str, float]
) -> list[tuple[str, float]]:
    """The ``k`` nearest to a unit vector with the cosines: of ``known`` and of those that changed after ``since``.

    They are read a batch at a time, so that the memory does not grow with the index.
    """
    best = dict(known)
    rows = db.execute(f"SELECT id, vector FROM {space} WHERE changed > ?", (since,))
    while batch := rows.fetchmany(_BATCH):
        fit = [(row["id"], found) for row in batch if (found := read_vector(row["vector"], len(vector))) is not None]
        cosines = np.array([found for _, found in fit]).reshape(-1, len(vector)) @ vector
        best |= zip((key for key, _ in fit), cosines.tolist(), strict=True)
        best = dict(heapq.nsmallest(k, best.items(), key=_nearest_first))
    return sorted(best.items(), key=_nearest_first)[:k]


def _nearest_first(pair: tuple[str, float]) -> tuple[float, str]:
    return -round(pair[1], 6), pair[0]  # equal cards are equally near, whatever the last bit says


def common_dimension(db: sqlite3.Connection) -> int:
    """How many numbers most of the flows' vectors have; of the prompts', where there is no flow; else 0."""
    for space in ("flows", "prompts"):
        query = f"SELECT length(vector) / 4 AS size FROM {space} GROUP BY size ORDER BY count(*) DESC, size LIMIT 1"
        row = db.execute(query).fetchone()
        if row is not None:
            return int(row["size"])
    return 0


def count_misfits(db: sqlite3.Connection, dimension: int) -> int:
    """How many vectors are not of ``dimension`` numbers."""
    parts = [f"SELECT count(*) AS n FROM {space} WHERE length(vector) != 4 * :size" for space in ("flows", "prompts")]
    return int(db.execute(f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)})", {"size": dimension}).fetchone()[0])


def put_vector(db: sqlite3.Connection, space: str, key: str, vector: Sequence[float], changed: int) -> None:
    """Give a row that is there a new vector."""
    db.execute(f"UPDATE {space} SET vector = ?, changed = ? WHERE id = ?", (pack_vector(vector), changed, key))
    if space == "flows":
        db.execute("UPDATE flow_facts SET changed = ? WHERE id = ?", (changed, key))


# --- evidence -------------------------------------------------------------------------------


def put_prompt(db: sqlite3.Connection, text: str, facts: PromptFacts, vector: Sequence[float], changed: int) -> None:
    """Insert a prompt, or add facts to one that is there; known facts are never overwritten with nothing."""
    parsed = facts.parsed.model_dump_json(exclude_defaults=True) if facts.parsed else None
    db.execute(
        """
        INSERT INTO prompts VALUES (:id, :text, :parsed, :categories, :vector, :changed)
        ON CONFLICT (id) DO UPDATE SET parsed = coalesce(excluded.parsed, parsed),
            categories = iif(excluded.categories = '[]', categories, excluded.categories), changed = excluded.changed
            WHERE (excluded.parsed IS NOT NULL AND excluded.parsed IS NOT parsed)
               OR (excluded.categories != '[]' AND excluded.categories != categories)
        """,
        {"id": prompt_id(text), "text": text, "parsed": parsed, "categories": json.dumps(facts.categories),
         "vector": pack_vector(vector), "changed": changed},
    )  # fmt: skip


def unknown_prompts(db: sqlite3.Connection, texts: Iterable[str]) -> set[str]:
    """Those of ``texts`` that are no prompts of evidence yet."""
    known = "SELECT 1 FROM prompts WHERE id = ?"
    return {text for text in texts if db.execute(known, (prompt_id(text),)).fetchone() is None}


def add_hash(db: sqlite3.Connection, row: Evidence, known: dict[str, str]) -> Evidence:
    """The row with the hash of its flow's graph; ``known`` keeps those that were looked up.

    Raises:
        BadInput: there is no such flow.
    """
    if row.graph_hash:
        return row
    if row.flow not in known:
        found = db.execute("SELECT graph_hash FROM flows WHERE id = ?", (row.flow,)).fetchone()
        if found is None:
            raise miss_flow(db, row.flow)
        known[row.flow] = str(found["graph_hash"])
    return row.model_copy(update={"graph_hash": known[row.flow]})


def put_evidence(db: sqlite3.Connection, row: Evidence, origin: Origin, changed: int | None = None) -> None:
    """Insert a score; the newer one wins where flow, graph, prompt, backend, scorer, seed and source are the same.

    It is listed as fresh at generation ``changed``; ``None`` for one of many (``note_bulk``).
    """
    prompt = prompt_id(row.prompt)
    db.execute(_PUT_EVIDENCE, _evidence_values(row, prompt, origin))
    if changed is not None:
        db.execute(
            "INSERT OR IGNORE INTO fresh VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (changed, row.flow, row.graph_hash, prompt, row.backend, row.scorer, row.seed, row.source),
        )


def put_bulk_evidence(db: sqlite3.Connection, rows: Sequence[Evidence], origin: Origin) -> None:
    """``put_evidence`` of many, none of them listed as fresh (``note_bulk``)."""
    prompts = {text: prompt_id(text) for text in {row.prompt for row in rows}}
    db.executemany(_PUT_EVIDENCE, (_evidence_values(row, prompts[row.prompt], origin) for row in rows))


_PUT_EVIDENCE = "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _evidence_values(row: Evidence, prompt: str, origin: Origin) -> tuple[object, ...]:
    where = (row.flow, row.graph_hash, prompt, row.backend, row.scorer, row.seed, row.source)
    return (*where, row.value, row.seconds, row.when, origin)


def note_bulk(db: sqlite3.Connection, changed: int) -> None:
    """Say that so many scores changed at once that what was made of them must be made anew."""
    set_fact(db, "bulk", str(changed))
    db.execute("DELETE FROM fresh")


def drop_built_in_evidence(db: sqlite3.Connection) -> None:
    """Remove the scores that a release brought, and prompts that nothing refers to any more."""
    db.execute("DELETE FROM evidence WHERE origin = 'built-in'")
    db.execute("DELETE FROM prompts WHERE id NOT IN (SELECT prompt FROM evidence)")


_EVIDENCE = """
    SELECT e.*, p.text AS text FROM evidence e JOIN prompts p ON p.id = e.prompt
    JOIN flows f ON f.id = e.flow AND f.graph_hash = e.graph_hash
    WHERE (:flow IS NULL OR e.flow = :flow) AND (:backend IS NULL OR e.backend = :backend)
    ORDER BY p.text, e.flow, e.backend, e.scorer, e.seed, e.source
"""


def evidence(db: sqlite3.Connection, flow: str | None, backend: str | None) -> list[Evidence]:
    """The scores of flows as they are now: an edited graph does not inherit the scores of the old one."""
    return [
        Evidence(
            flow=row["flow"], prompt=row["text"], backend=row["backend"], scorer=row["scorer"], value=row["value"],
            seed=row["seed"], seconds=row["seconds"], when=row["at"], source=row["source"],
            graph_hash=row["graph_hash"],
        )
        for row in db.execute(_EVIDENCE, {"flow": flow, "backend": backend})
    ]  # fmt: skip


def prompt_rows(db: sqlite3.Connection) -> list[tuple[str, str | None, str]]:
    """``(text, parsed JSON, categories JSON)`` of every prompt that evidence is about."""
    found = db.execute("SELECT text, parsed, categories FROM prompts ORDER BY text")
    return [(row["text"], row["parsed"], row["categories"]) for row in found]


def prompt_texts(db: sqlite3.Connection, wanted: Sequence[str]) -> Mapping[str, str]:
    """The texts of prompt ids."""
    found = {}
    for key in wanted:
        row = db.execute("SELECT text FROM prompts WHERE id = ?", (key,)).fetchone()
        if row is not None:
            found[key] = str(row[0])
    return found
