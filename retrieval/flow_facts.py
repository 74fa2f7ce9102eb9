"""What retrieval must know of every flow, in narrow tables beside the flows: written with a flow, read in one pass.

``needs`` holds each distinct need once, with its node classes and named files in tables of their own to look them up
by; ``flow_facts`` has one row a flow. An older database is brought up in batches, each a transaction of its own, so
that a process that is killed in between goes on where it stopped.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import PurePosixPath

from imagewright import needing
from imagewright.database import transaction
from imagewright.flow_format import shape_hash
from imagewright.flow_pictures import takes_picture
from imagewright.needs import Need
from imagewright.schemas import Card, Flow

STEP = """
    CREATE TABLE needs (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE need_classes (
        class TEXT NOT NULL, need INTEGER NOT NULL, PRIMARY KEY (class, need)
    ) WITHOUT ROWID;
    CREATE TABLE flow_facts (
        id TEXT PRIMARY KEY, need INTEGER NOT NULL, draws INTEGER NOT NULL,
        kind TEXT NOT NULL, base TEXT NOT NULL, kin TEXT NOT NULL, benchmark REAL NOT NULL, shape TEXT NOT NULL,
        graph_hash TEXT NOT NULL, title TEXT NOT NULL, origin TEXT NOT NULL, enabled INTEGER NOT NULL,
        changed INTEGER NOT NULL, again INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX flow_facts_by_change ON flow_facts (changed);
    CREATE TABLE flow_files (
        name TEXT NOT NULL, flow TEXT NOT NULL, folder TEXT NOT NULL, PRIMARY KEY (name, flow, folder)
    ) WITHOUT ROWID;
    CREATE INDEX flow_files_by_flow ON flow_files (flow);
    CREATE TABLE gone (id TEXT PRIMARY KEY, changed INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX flows_by_change ON flows (changed);
    CREATE INDEX prompts_by_change ON prompts (changed);
    CREATE TABLE fresh (
        changed INTEGER NOT NULL, flow TEXT NOT NULL, graph_hash TEXT NOT NULL, prompt TEXT NOT NULL,
        backend TEXT NOT NULL, scorer TEXT NOT NULL, seed INTEGER NOT NULL, source TEXT NOT NULL,
        PRIMARY KEY (changed, flow, graph_hash, prompt, backend, scorer, seed, source)
    ) WITHOUT ROWID;
    CREATE TABLE fits (
        backend TEXT NOT NULL, learn_critic INTEGER NOT NULL, generation INTEGER NOT NULL, rows INTEGER NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (backend, learn_critic)
    )
    """
"""What an index of the first version lacks."""
_BATCH = 200


def put(db: sqlite3.Connection, flow: Flow, graph_hash: str, shape: str, origin: str, changed: int) -> None:
    """Write the facts of a flow, inside the transaction that stores it; whether it is switched on stays.

    Flows of one shape draw the same pictures and share their scores, unless one of them is run with a layout.
    """
    need = store_need(db, needing.read_need(flow))
    row = db.execute("SELECT enabled FROM flow_facts WHERE id = ?", (flow.id,)).fetchone()
    card = flow.card
    same = f"{shape} {card.layout}" if card.layout == "regions" else shape
    kin = json.dumps([sorted(set(card.loras)), sorted(set(card.samplers))])
    db.execute(
        "INSERT OR REPLACE INTO flow_facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (flow.id, need, rate_draws(card), card.kind, card.base_model, kin, pick_benchmark(card), same,
         graph_hash, card.title, origin, int(row["enabled"]) if row else 1, changed,
         int(card.duplicate_of is not None)),
    )  # fmt: skip
    db.execute("DELETE FROM gone WHERE id = ?", (flow.id,))
    db.execute("DELETE FROM flow_files WHERE flow = ?", (flow.id,))
    db.executemany(
        "INSERT OR IGNORE INTO flow_files VALUES (?, ?, ?)", [(file.name, flow.id, file.folder) for file in card.models]
    )


def list_files(db: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """``(folder, name, flow)`` of every model file that a flow names, sorted."""
    yield from map(tuple, db.execute("SELECT folder, name, flow FROM flow_files ORDER BY folder, name, flow"))


def find_carriers(db: sqlite3.Connection, lora: str) -> tuple[str, ...]:
    """The ids of the flows that load the LoRA file ``lora``, by its whole name or by what stands before the ending."""
    rows = db.execute("SELECT flow, name FROM flow_files WHERE folder = 'loras' ORDER BY flow")
    wanted = PurePosixPath(lora.replace("\\", "/")).name.lower()
    return tuple(dict.fromkeys(row["flow"] for row in rows if wanted in _names(row["name"])))


def _names(file: str) -> tuple[str, str]:
    path = PurePosixPath(file.replace("\\", "/").lower())
    return path.name, path.stem


def is_switched_on(db: sqlite3.Connection, flow_id: str) -> bool:
    """Whether a person lets a flow be offered; one that is not there is not."""
    row = db.execute("SELECT enabled FROM flow_facts WHERE id = ?", (flow_id,)).fetchone()
    return row is not None and bool(row["enabled"])


def page_files(db: sqlite3.Connection, search: str, limit: int, offset: int) -> tuple[list[sqlite3.Row], int]:
    """Some of the files that flows name, by folder and name, and how many there are in all.

    A row has ``folder``, ``name``, ``users`` (how many flows name it) and ``first`` (one of them). ``search`` is part
    of a name.
    """
    where = "WHERE name LIKE '%' || ? || '%' ESCAPE '\\'"
    part = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    grouped = (
        f"SELECT folder, name, count(*) AS users, min(flow) AS first FROM flow_files {where} GROUP BY folder, name"
    )
    rows = db.execute(f"{grouped} ORDER BY folder, name LIMIT ? OFFSET ?", (part, limit, offset)).fetchall()
    return rows, int(db.execute(f"SELECT count(*) FROM ({grouped})", (part,)).fetchone()[0])


def find_users(db: sqlite3.Connection, folder: str, name: str, most: int) -> list[str]:
    """Up to ``most`` flows that name a file, by id."""
    query = "SELECT flow FROM flow_files WHERE name = ? AND folder = ? ORDER BY flow LIMIT ?"
    return [str(row["flow"]) for row in db.execute(query, (name, folder, most))]


def drop(db: sqlite3.Connection, flow_id: str, changed: int) -> None:
    """Forget the facts of a flow that is removed; who knows it learns that it is gone."""
    db.execute("DELETE FROM flow_facts WHERE id = ?", (flow_id,))
    db.execute("DELETE FROM flow_files WHERE flow = ?", (flow_id,))
    db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (flow_id, changed))


def switch(db: sqlite3.Connection, flow_id: str, on: bool, changed: int) -> None:
    """Say whether a flow is offered."""
    db.execute("UPDATE flow_facts SET enabled = ?, changed = ? WHERE id = ?", (int(on), changed, flow_id))


def changed_since(db: sqlite3.Connection, generation: int) -> bool:
    """Whether a flow came, changed or went after ``generation``."""
    query = """
        SELECT EXISTS (SELECT 1 FROM flow_facts WHERE changed > :since)
            OR EXISTS (SELECT 1 FROM gone WHERE changed > :since)
    """
    return bool(db.execute(query, {"since": generation}).fetchone()[0])


def store_need(db: sqlite3.Connection, need: Need) -> int:
    """The number of a need, which is stored where it is new."""
    text = need.model_dump_json(exclude_defaults=True)
    row = db.execute("SELECT number FROM needs WHERE text = ?", (text,)).fetchone()
    if row is not None:
        return int(row["number"])
    number = int(db.execute("INSERT INTO needs (text) VALUES (?) RETURNING number", (text,)).fetchone()[0])
    db.executemany("INSERT INTO need_classes VALUES (?, ?)", [(name, number) for name in need.classes])
    return number


def read_needs(db: sqlite3.Connection, beyond: int = 0) -> dict[int, Need]:
    """The needs whose numbers are greater than ``beyond``."""
    rows = db.execute("SELECT number, text FROM needs WHERE number > ? ORDER BY number", (beyond,))
    return {int(row["number"]): Need.model_validate_json(row["text"]) for row in rows}


def is_text_to_image(card: Card) -> bool:
    """Whether a flow makes pictures from text alone."""
    return card.kind == "text-to-image" and "positive" in card.slots


def rate_draws(card: Card) -> int:
    """How a flow makes pictures: 1 from text alone, 2 from text and a picture that is brought, 0 not at all."""
    return 1 if is_text_to_image(card) else 2 if takes_picture(card) else 0


def pick_benchmark(card: Card) -> float:
    """GenEval where it is published, else the mean of what is; -1 for nothing."""
    if "GenEval" in card.benchmarks:
        return card.benchmarks["GenEval"]
    return sum(card.benchmarks.values()) / len(card.benchmarks) if card.benchmarks else -1.0


# --- older databases --------------------------------------------------------------------------


def bring_up(db: sqlite3.Connection) -> None:
    """Write the facts that an older version did not write, or wrote otherwise."""
    row = db.execute("SELECT value FROM index_facts WHERE name = 'facts'").fetchone()
    if row is not None and row["value"] == needing.VERSION:
        return
    if row is not None and row["value"]:
        with transaction(db):
            db.execute("UPDATE flow_facts SET need = 0")
            db.execute("UPDATE index_facts SET value = '' WHERE name = 'facts'")
    for group in _without_facts(db):
        with transaction(db):
            for flow_id in group:
                _bring_up_one(db, flow_id)
    with transaction(db):
        db.execute("INSERT OR REPLACE INTO index_facts VALUES ('facts', ?)", (needing.VERSION,))


def _without_facts(db: sqlite3.Connection) -> Iterator[list[str]]:
    query = "SELECT id FROM flows WHERE id NOT IN (SELECT id FROM flow_facts WHERE need > 0) ORDER BY id"
    missing = [str(row["id"]) for row in db.execute(query)]
    for start in range(0, len(missing), _BATCH):
        yield missing[start : start + _BATCH]


def _bring_up_one(db: sqlite3.Connection, flow_id: str) -> None:
    row = db.execute("SELECT * FROM flows WHERE id = ?", (flow_id,)).fetchone()
    if row is None:
        return
    flow = Flow(id=row["id"], graph=json.loads(row["graph"]), card=Card.model_validate_json(row["card"]))
    shape = shape_hash(flow.graph, flow.card.slots)
    put(db, flow, row["graph_hash"], shape, row["origin"], row["changed"])
