-- The due time of the next update that was reminded of, so that each is told once.
ALTER TABLE incidents ADD COLUMN update_reminded_for BIGINT;
