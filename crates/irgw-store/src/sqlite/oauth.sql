-- The third version: OAuth clients, customers, and what the authorization server keeps of their logins (OA-1 to OA-19).
--
-- Of a secret that is presented again, only the SHA-256 digest is kept; what must be read again is sealed under a key that
-- is not here (C29). What has run out is deleted, some time after its column `until`, a few rows with each new one;
-- clients, customers and keys stay, and are marked as ended. Times are whole seconds since the Unix epoch.

-- Registered clients. The primary key is ENV-2: one id, one environment, for ever.
CREATE TABLE clients (
    id          TEXT PRIMARY KEY CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 128),
    provider    TEXT NOT NULL REFERENCES providers (id),
    environment TEXT NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    name        TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 256),
    kind        TEXT NOT NULL CHECK (kind IN ('cloud', 'native')),
    algorithm   TEXT NOT NULL CHECK (algorithm IN ('ES256', 'RS256', 'RS512')),
    since       INTEGER NOT NULL,
    disabled    INTEGER,
    revision    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX clients_by_provider ON clients (provider, id);
CREATE INDEX clients_by_revision ON clients (revision);

-- Where a client's answers may be sent (OA-4).
CREATE TABLE redirect_uris (
    client TEXT NOT NULL REFERENCES clients (id),
    uri    TEXT NOT NULL CHECK (length(CAST(uri AS BLOB)) BETWEEN 1 AND 1024),
    PRIMARY KEY (client, uri)
) STRICT, WITHOUT ROWID;

-- Every secret that a client ever had; at most two have not ended (OA-2).
CREATE TABLE client_secrets (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    client TEXT NOT NULL REFERENCES clients (id),
    number INTEGER NOT NULL CHECK (number > 0),
    since  INTEGER NOT NULL,
    ended  INTEGER,
    UNIQUE (client, number)
) STRICT, WITHOUT ROWID;

-- The built-in directory. A gateway with another one has no rows here, so nothing below refers to this table.
CREATE TABLE customers (
    subject  TEXT PRIMARY KEY CHECK (length(subject) = 36),
    user_id  TEXT NOT NULL CHECK (length(CAST(user_id AS BLOB)) BETWEEN 1 AND 128),
    -- The user id as it is looked up: without case, and without space around it (C24).
    account  TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 256),
    password TEXT NOT NULL CHECK (password LIKE '$argon2id$%'),
    totp     BLOB,
    since    INTEGER NOT NULL,
    disabled INTEGER
) STRICT, WITHOUT ROWID;

-- Which client may act for which customer (OA-7, OA-19).
CREATE TABLE consents (
    subject TEXT NOT NULL CHECK (length(subject) = 36),
    client  TEXT NOT NULL REFERENCES clients (id),
    since   INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (subject, client)
) STRICT, WITHOUT ROWID;

CREATE INDEX consents_by_end ON consents (until);

-- Authorization codes (OA-8). A redeemed one says which family it began, and is kept for a day: whoever presents it again
-- ends that family.
CREATE TABLE codes (
    digest       BLOB PRIMARY KEY CHECK (length(digest) = 32),
    client       TEXT NOT NULL REFERENCES clients (id),
    subject      TEXT NOT NULL CHECK (length(subject) = 36),
    logon        TEXT NOT NULL CHECK (length(CAST(logon AS BLOB)) BETWEEN 1 AND 128),
    redirect_uri TEXT NOT NULL,
    challenge    TEXT,
    expires      INTEGER NOT NULL,
    -- No reference: the family may be forgotten first, and the code is redeemed all the same.
    family       TEXT,
    until        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_by_subject ON codes (subject, client);
CREATE INDEX codes_by_end ON codes (until);

-- Families: all tokens of one login (OA-13). `until` is when the last of them has run out.
CREATE TABLE families (
    id      TEXT PRIMARY KEY CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 128),
    client  TEXT NOT NULL REFERENCES clients (id),
    subject TEXT NOT NULL CHECK (length(subject) = 36),
    logon   TEXT NOT NULL CHECK (length(CAST(logon AS BLOB)) BETWEEN 1 AND 128),
    since   INTEGER NOT NULL,
    revoked INTEGER,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX families_by_subject ON families (subject, client);
CREATE INDEX families_by_client ON families (client);
CREATE INDEX families_by_end ON families (until);

-- Refresh tokens (OA-12). A spent one is kept as long as it would have been good.
CREATE TABLE refresh_tokens (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    family TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    spent  INTEGER,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of two that race for the place of the live one, one has none, whatever program writes (C11).
CREATE UNIQUE INDEX refresh_tokens_live ON refresh_tokens (family) WHERE spent IS NULL;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (until);

-- What every node knows in memory (OA-16): families and single access tokens (by `jti`) that are revoked, until no access
-- token of theirs can be good.
CREATE TABLE revocations (
    kind     TEXT NOT NULL CHECK (kind IN ('family', 'token')),
    name     TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 128),
    until    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_by_revision ON revocations (revision);
CREATE INDEX revocations_by_end ON revocations (until);

-- Logins that stand in a browser (OA-7).
CREATE TABLE sessions (
    digest  BLOB PRIMARY KEY CHECK (length(digest) = 32),
    subject TEXT NOT NULL CHECK (length(subject) = 36),
    logon   TEXT NOT NULL CHECK (length(CAST(logon AS BLOB)) BETWEEN 1 AND 128),
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_subject ON sessions (subject);
CREATE INDEX sessions_by_end ON sessions (until);

-- Whatever works once, and was used: transactions, forms, one-time passwords (C21, C26).
CREATE TABLE spent_once (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_once_by_end ON spent_once (until);

-- Failed logins, by a digest of the account or the address (OA-18).
CREATE TABLE attempts (
    digest   BLOB PRIMARY KEY CHECK (length(digest) = 32),
    failures INTEGER NOT NULL CHECK (failures > 0),
    last     INTEGER NOT NULL,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_by_end ON attempts (until);

-- The keys that access tokens are signed with (OA-10), sealed. Each belongs to one environment (ENV-2).
CREATE TABLE oauth_keys (
    kid            TEXT PRIMARY KEY CHECK (length(kid) = 43),
    environment    TEXT NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    algorithm      TEXT NOT NULL CHECK (algorithm IN ('ES256', 'RS256', 'RS512')),
    sealed         BLOB NOT NULL,
    since          INTEGER NOT NULL,
    signs_from     INTEGER NOT NULL,
    verifies_until INTEGER
) STRICT, WITHOUT ROWID;
