"""The tables of the log of runs, and the index of its pictures: what a gallery shows and asks for, a row a picture."""

from __future__ import annotations

INDEX_PICTURES = """
    INSERT OR IGNORE INTO pictures (run, client, thread, flow, accepted, score, created, seed, seconds, images, image,
        prompt, words)
    SELECT run, coalesce((SELECT client FROM run_clients c WHERE c.run = judged.run), ''), thread,
        json_extract(result, '$.flow'), CASE WHEN counts THEN json_extract(verdict, '$.accepted') END,
        CASE WHEN counts THEN json_extract(verdict, '$.score') END, created,
        substr(seeds, 2, instr(seeds, ',') - 2), json_extract(result, '$.seconds'), json_extract(result, '$.images'),
        image, json_extract(result, '$.prompt'),
        casefold(said || char(10) || coalesce(json_extract(result, '$.prompt'), ''))
    FROM (
        SELECT *, json_extract(result, '$.seed', '$.seed') AS seeds, EXISTS (
            SELECT 1 FROM json_each(verdict, '$.checks') WHERE json_extract(value, '$.name') != 'layout'
            AND substr(json_extract(value, '$.detail'), 1, 10) != 'not judged'
        ) AS counts
        FROM (
            SELECT r.id AS run, r.rowid AS place, r.prompt AS said, r.created, d.result,
                CASE WHEN r.thread LIKE 'thread %' THEN substr(r.thread, 8) ELSE '' END AS thread,
                json_extract(d.result, '$.image') AS image,
                (SELECT json_extract(value, '$.verdict') FROM json_each(d.result, '$.rounds')
                    WHERE json_extract(value, '$.image') = json_extract(d.result, '$.image')
                    AND json_extract(value, '$.verdict') IS NOT NULL ORDER BY key DESC LIMIT 1) AS verdict
            FROM deliveries d JOIN runs r ON r.id = d.run WHERE json_valid(d.result)
        )
    ) AS judged ORDER BY place"""
"""Puts what was delivered into the index. Judged as ``RunResult.verdict`` is. Two seeds make a
list, of which the text keeps all digits: one alone of 64 bits would come as a float."""
INDEX_PICTURE = INDEX_PICTURES.replace("WHERE json_valid(d.result)", "WHERE json_valid(d.result) AND d.run = ?")
"""The same for one run."""

RUN_TABLES = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, thread TEXT NOT NULL, prompt TEXT NOT NULL, request TEXT NOT NULL, seed TEXT NOT NULL,
        out TEXT NOT NULL, status TEXT NOT NULL, created TEXT NOT NULL, error TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX runs_created ON runs (created);
    CREATE TABLE deliveries (
        run TEXT PRIMARY KEY REFERENCES runs (id), delivered TEXT NOT NULL, result TEXT NOT NULL, trace TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE answers (run TEXT PRIMARY KEY REFERENCES runs (id), text TEXT NOT NULL);
    CREATE TABLE titles (thread TEXT PRIMARY KEY, title TEXT NOT NULL);
    CREATE INDEX runs_thread ON runs (thread);
    """,
    f"""
    CREATE TABLE run_clients (run TEXT PRIMARY KEY, client TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE pictures (
        number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, client TEXT NOT NULL, thread TEXT NOT NULL,
        flow TEXT NOT NULL, accepted INTEGER, score REAL, thumb TEXT NOT NULL DEFAULT '', created TEXT NOT NULL,
        kept INTEGER NOT NULL DEFAULT 1, seed TEXT NOT NULL, seconds REAL NOT NULL, images INTEGER NOT NULL,
        image TEXT NOT NULL, prompt TEXT NOT NULL, words TEXT NOT NULL
    );
    CREATE INDEX pictures_client ON pictures (client) WHERE kept = 1;
    CREATE INDEX pictures_flow ON pictures (flow) WHERE kept = 1;
    CREATE INDEX pictures_thread ON pictures (thread);
    CREATE INDEX pictures_image ON pictures (image);
    {INDEX_PICTURES};
    """,
)
"""The third step puts what was delivered before into the index. ``thumb`` is up, down or empty; ``kept`` is 0 where
the picture is not in the store any more."""

OF_RUN = (
    ("deliveries", "run"), ("answers", "run"), ("pictures", "run"), ("run_clients", "run"), ("runs", "id"),
)  # fmt: skip
"""Where a run has rows, and the column that names it; what refers to others first."""
