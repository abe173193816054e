-- Which incidents need a postmortem, by when, and what its draft asks for; the first that fits counts.
CREATE TABLE postmortem_rules (
    id INTEGER PRIMARY KEY,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    -- JSON lists; an empty one does not restrict.
    severities TEXT NOT NULL,
    teams TEXT NOT NULL,
    required BOOLEAN NOT NULL,
    due_days BIGINT NOT NULL,
    -- Longest stretch about which nothing is written before the lint remarks on it, in minutes.
    gap_minutes BIGINT NOT NULL,
    -- JSON: section → Markdown that its draft ends with.
    guidance TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by_name TEXT NOT NULL
);
CREATE INDEX postmortem_rules_in_order ON postmortem_rules (position, id);

-- What the rules said when an incident was resolved; without a date its postmortem is optional.
CREATE TABLE postmortem_duties (
    incident_id BIGINT PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    rule_name TEXT NOT NULL,
    due_at BIGINT,
    decided_at BIGINT NOT NULL,
    reminded_at BIGINT
);
CREATE INDEX postmortem_duties_by_due ON postmortem_duties (due_at) WHERE due_at IS NOT NULL;

-- For the library: what kind of cause it was, and words to find it by.
ALTER TABLE postmortems ADD COLUMN cause TEXT NOT NULL DEFAULT '';
CREATE INDEX postmortems_by_cause ON postmortems (cause, updated_at DESC, id DESC);
CREATE TABLE postmortem_tags (
    postmortem_id BIGINT NOT NULL REFERENCES postmortems (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (postmortem_id, tag)
);
CREATE INDEX postmortem_tags_by_tag ON postmortem_tags (tag, postmortem_id);
