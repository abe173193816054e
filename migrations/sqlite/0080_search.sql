-- What can be found: one row for each thing that has words, written by the room that owns the thing.
CREATE TABLE search_docs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    url TEXT NOT NULL,
    -- The incident that this belongs to, so that all of it becomes private or public at once.
    incident_id BIGINT,
    private BOOLEAN NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (kind, ref)
);
CREATE INDEX search_docs_by_incident ON search_docs (incident_id);

-- The words of each row, without the text itself. Tokens are cut by Faultline.
CREATE VIRTUAL TABLE search_index USING fts5 (
    title, body, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 0"
);
