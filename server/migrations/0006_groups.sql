-- Groups of people: a file that the server cannot open, and who may put a newer one in its place.

CREATE TABLE user_groups (
    group_id TEXT NOT NULL PRIMARY KEY,
    -- Who made it.
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    object TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX user_groups_by_account ON user_groups (account);

-- Who else may change it, as whoever changed it last said.
CREATE TABLE group_admins (
    group_id TEXT NOT NULL REFERENCES user_groups (group_id) ON DELETE CASCADE,
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    PRIMARY KEY (group_id, account)
);
CREATE INDEX group_admins_by_account ON group_admins (account);
