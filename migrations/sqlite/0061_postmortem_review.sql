-- Who may read it: responders, everybody here, or everybody.
ALTER TABLE postmortems ADD COLUMN audience TEXT NOT NULL DEFAULT 'company';
-- JSON: words that the public text leaves out, and the sections that it has.
ALTER TABLE postmortems ADD COLUMN redactions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE postmortems ADD COLUMN public_sections TEXT NOT NULL DEFAULT '[]';
-- What the record gave when the section was last drafted: tells handwriting from the draft.
ALTER TABLE postmortem_sections ADD COLUMN drafted TEXT NOT NULL DEFAULT '';
UPDATE postmortem_sections SET drafted = body WHERE untouched;

CREATE TABLE postmortem_reviewers (
    postmortem_id BIGINT NOT NULL REFERENCES postmortems (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('waiting', 'approved', 'changes')),
    note TEXT NOT NULL DEFAULT '',
    asked_by_name TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    answered_at BIGINT,
    PRIMARY KEY (postmortem_id, user_id)
);
CREATE INDEX postmortem_reviewers_by_user ON postmortem_reviewers (user_id, verdict);

-- The review checklist: a row for each ticked question.
CREATE TABLE postmortem_checks (
    postmortem_id BIGINT NOT NULL REFERENCES postmortems (id) ON DELETE CASCADE,
    item TEXT NOT NULL,
    checked_by_name TEXT NOT NULL,
    checked_at BIGINT NOT NULL,
    PRIMARY KEY (postmortem_id, item)
);

-- Remarks about a section; with a suggestion, a text that can be taken over.
CREATE TABLE postmortem_comments (
    id INTEGER PRIMARY KEY,
    postmortem_id BIGINT NOT NULL REFERENCES postmortems (id) ON DELETE CASCADE,
    section TEXT NOT NULL,
    body TEXT NOT NULL,
    suggestion TEXT,
    -- The version of the section that the suggestion changes.
    base BIGINT NOT NULL,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('open', 'settled', 'taken', 'declined')),
    settled_by_name TEXT,
    settled_at BIGINT
);
CREATE INDEX postmortem_comments_by_postmortem ON postmortem_comments (postmortem_id, id);
