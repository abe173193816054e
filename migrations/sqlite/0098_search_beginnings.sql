-- Services of what belongs to no incident, with blanks around each, so that a search can be narrowed to one.
ALTER TABLE search_docs ADD COLUMN services TEXT NOT NULL DEFAULT '';

-- Made anew with lists of beginnings, without which a half-typed word among a million rows takes seconds, and without the
-- places of words, which nothing asks for. The kind of each row becomes a word of it that nobody can type.
DROP TABLE search_index;
CREATE VIRTUAL TABLE search_index USING fts5 (
    title, body, content = '', contentless_delete = 1, detail = 'column', prefix = '1 2 3 4 5 6 7 8',
    tokenize = "unicode61 remove_diacritics 0"
);
INSERT INTO search_index (rowid, title, body) SELECT id, title || ' ' || char(57344) || kind, body FROM search_docs;
