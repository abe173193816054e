-- Finished answers of reports that took long to compute, by question and version of the data.
CREATE TABLE report_answers (
    id BIGINT PRIMARY KEY,
    made_at BIGINT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX report_answers_by_age ON report_answers (made_at);

-- Incidents that are over, counted by severity for those without a postmortem. Every column that is asked for is
-- in it, so that no row is read.
CREATE INDEX incidents_over ON incidents (severity, started_at, id, private, status, kind)
    WHERE kind <> 'drill' AND status IN ('resolved', 'closed');
