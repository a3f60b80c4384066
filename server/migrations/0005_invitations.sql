-- Invitations of people who have no account yet: a record that the server cannot open, and how it was accepted.

CREATE TABLE invitations (
    invitation TEXT NOT NULL PRIMARY KEY,
    -- Who invites.
    account TEXT NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    record TEXT NOT NULL,
    -- SHA-256 under a label of what the guest shows.
    claim_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Who accepted it; these five are NULL together.
    guest TEXT REFERENCES accounts (account) ON DELETE CASCADE,
    guest_bundle TEXT,
    guest_signature TEXT,
    proof TEXT,
    accepted_at BIGINT
);
CREATE INDEX invitations_by_account ON invitations (account);
CREATE INDEX invitations_by_guest ON invitations (guest);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);
