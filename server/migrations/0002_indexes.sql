-- What is removed every hour, and what goes with an account, is found without reading whole tables.

CREATE INDEX accounts_unconfirmed ON accounts (created_at) WHERE status = 'unconfirmed';
CREATE INDEX devices_by_end ON devices ((COALESCE(revoked_at, refresh_expires_at)));
CREATE INDEX logins_by_account ON logins (account);
CREATE INDEX codes_by_expiry ON codes (expires_at);
