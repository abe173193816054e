-- Which account acts when somebody uses a command or a button in Slack.
CREATE TABLE slack_people (
    slack_user_id TEXT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    added_at BIGINT NOT NULL,
    added_by TEXT NOT NULL
);
CREATE INDEX slack_people_by_user ON slack_people (user_id);
