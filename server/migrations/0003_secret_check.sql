-- Which secret the accounts belong to, so that a server with another one does not start. One row at most.

CREATE TABLE secret_check (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    -- SHA-256 of a label and the secret, see `secret::check_value`.
    check_value TEXT NOT NULL
);
