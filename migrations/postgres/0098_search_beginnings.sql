-- Services of what belongs to no incident, with blanks around each, so that a search can be narrowed to one.
ALTER TABLE search_docs ADD COLUMN services TEXT NOT NULL DEFAULT '';

-- The kind of each row becomes a word of it that nobody can type, so that a search can be narrowed inside the index.
UPDATE search_index SET
    title = title || array_to_tsvector(ARRAY[chr(57344) || (SELECT d.kind FROM search_docs d WHERE d.id = rowid)]),
    body = body || array_to_tsvector(ARRAY[chr(57344) || (SELECT d.kind FROM search_docs d WHERE d.id = rowid)])
WHERE rowid IN (SELECT id FROM search_docs);
