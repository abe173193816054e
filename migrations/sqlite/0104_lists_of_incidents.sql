-- Counting a list for those who do not see every private incident asks of each whether it is private: with that in
-- the index no row is read.
DROP INDEX incidents_by_start;
DROP INDEX incidents_by_status;
DROP INDEX incidents_by_severity;
DROP INDEX incidents_by_kind;
CREATE INDEX incidents_by_start ON incidents (started_at DESC, id DESC, private);
CREATE INDEX incidents_by_status ON incidents (status, started_at DESC, id DESC, private);
CREATE INDEX incidents_by_severity ON incidents (severity, started_at DESC, id DESC, private);
CREATE INDEX incidents_by_kind ON incidents (kind, started_at DESC, id DESC, private);
