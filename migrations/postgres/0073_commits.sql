-- When a commit was made, as build systems tell: the beginning of a deployment's lead time.
CREATE TABLE report_commits (
    sha TEXT PRIMARY KEY,
    committed_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);
