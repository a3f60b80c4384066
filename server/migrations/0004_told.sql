-- Devices that logged in later are those that this one is still to be told of: it moves when an answer is known to have
-- arrived, not when it is sent.

ALTER TABLE devices ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0;
UPDATE devices SET told_at = seen_at;
