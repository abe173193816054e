-- Finished answers of reports that took long to compute, by question and version of the data.
CREATE TABLE report_answers (
    id BIGINT PRIMARY KEY,
    made_at BIGINT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX report_answers_by_age ON report_answers (made_at);

-- Severe incidents that are over, counted for those without a postmortem.
CREATE INDEX incidents_severe_over ON incidents (started_at, private, id)
    WHERE kind <> 'drill' AND severity IN ('SEV1', 'SEV2') AND status IN ('resolved', 'closed');
