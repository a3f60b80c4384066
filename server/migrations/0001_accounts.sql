-- Bytes are lower-case hex, times seconds since 1970, truth values 0 and 1: the one dialect that SQLite and PostgreSQL
-- share. Migrations that were released are never edited.

CREATE TABLE accounts (
    account TEXT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    -- 'unconfirmed', 'active' or 'disabled'
    status TEXT NOT NULL,
    display_name TEXT,
    created_at BIGINT NOT NULL,
    -- The newest bundle, and its two keys that the server uses.
    bundle TEXT NOT NULL,
    bundle_signature TEXT NOT NULL,
    bundle_sequence BIGINT NOT NULL,
    login_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    keys_version BIGINT NOT NULL,
    keys_sealed TEXT NOT NULL,
    password_version BIGINT NOT NULL,
    password_realm TEXT NOT NULL,
    password_nonce TEXT NOT NULL,
    password_iterations BIGINT NOT NULL,
    password_sealed TEXT NOT NULL,
    password_verifier TEXT NOT NULL,
    recovery_id TEXT NOT NULL,
    recovery_sealed TEXT NOT NULL,
    recovery_copy TEXT NOT NULL,
    recovery_verifier TEXT NOT NULL,
    -- 0 and NULL while there is none.
    state_version BIGINT NOT NULL,
    state_sealed TEXT
);

-- Every bundle that an account ever had, the newest included.
CREATE TABLE bundles (
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    bundle TEXT NOT NULL,
    signature TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    PRIMARY KEY (account, sequence)
);

-- A device and its session. Tokens are kept as hashes.
CREATE TABLE devices (
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    -- Not NULL once the session was ended.
    revoked_at BIGINT,
    counter BIGINT NOT NULL,
    access_hash TEXT NOT NULL UNIQUE,
    access_expires_at BIGINT NOT NULL,
    refresh_hash TEXT NOT NULL,
    -- Passes until the newer one was used: the answer that carried that may have been lost.
    previous_refresh_hash TEXT NOT NULL,
    refresh_expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, device)
);

-- Logins between their second step and their third. A row stays until it expires, so that neither step passes twice.
CREATE TABLE logins (
    attempt TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    device TEXT NOT NULL,
    device_name TEXT NOT NULL,
    device_key TEXT NOT NULL,
    -- What was shown: 'password' or 'recovery'
    kind TEXT NOT NULL,
    -- SHA-256 of the one right answer.
    proof_hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    finished BIGINT NOT NULL
);
CREATE INDEX logins_by_expiry ON logins (expires_at);

-- Codes that were mailed: to confirm a new account, or a new address of one.
CREATE TABLE codes (
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    login TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, login)
);

-- Failures, each bucket in one number (GCRA): when it will be empty again, in milliseconds since 1970.
CREATE TABLE failures (
    bucket TEXT NOT NULL PRIMARY KEY,
    empty_at_ms BIGINT NOT NULL
);
CREATE INDEX failures_by_time ON failures (empty_at_ms);
