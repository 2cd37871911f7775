-- The first version of the database in PostgreSQL: what SQLite has after its third (../sqlite/*.sql), with the same names.
--
-- Rows of enrolment are never deleted: what ends is marked with the time it ended, so that a reader which asks for "everything
-- after revision N" sees endings too. What the authorization server keeps is deleted some time after its column `until`, a
-- few rows with each new one. Of a secret that is presented again, only the SHA-256 digest is kept; what must be read again is
-- sealed under a key that is not here (C29). Times are whole seconds since the Unix epoch. Texts are compared by their bytes.

-- Each revision has a tag of its own, drawn at random when it is made. Two histories that part (a copy was put back, a standby
-- took over that had not seen all) reach the same numbers, and not the same tags. Only as many are kept as a running reader may
-- lag behind; one that lags more reads everything.
CREATE TABLE revisions (
    value BIGINT PRIMARY KEY CHECK (value >= 0),
    tag   BIGINT NOT NULL
);

INSERT INTO revisions (value, tag) VALUES (0, hashtextextended(gen_random_uuid()::text, 0));

-- Parties (ENV-1) and what links them. Parties belong to no environment; their credentials do.

CREATE TABLE providers (
    id    TEXT COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 128),
    name  TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    since BIGINT NOT NULL
);

CREATE TABLE owners (
    id    TEXT COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 128),
    name  TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    since BIGINT NOT NULL
);

-- Which provider acts for which resource owner (M2M-9).
CREATE TABLE acts_for (
    owner    TEXT COLLATE "C" NOT NULL REFERENCES owners (id),
    provider TEXT COLLATE "C" NOT NULL REFERENCES providers (id),
    since    BIGINT NOT NULL,
    ended    BIGINT,
    revision BIGINT NOT NULL,
    PRIMARY KEY (owner, provider)
);

CREATE INDEX acts_for_by_provider ON acts_for (provider, owner);
CREATE INDEX acts_for_by_revision ON acts_for (revision);

-- Which myIR logon is linked to which resource owner (M2M-7).
CREATE TABLE logons (
    owner    TEXT COLLATE "C" NOT NULL REFERENCES owners (id),
    logon    TEXT COLLATE "C" NOT NULL CHECK (octet_length(logon) BETWEEN 1 AND 128),
    since    BIGINT NOT NULL,
    ended    BIGINT,
    revision BIGINT NOT NULL,
    PRIMARY KEY (owner, logon)
);

CREATE INDEX logons_by_revision ON logons (revision);

-- Client certificates by Common Name (TLS-6). The primary key is ENV-2: one name, one environment, for ever.
CREATE TABLE client_certs (
    common_name TEXT COLLATE "C" PRIMARY KEY CHECK (octet_length(common_name) BETWEEN 1 AND 255),
    provider    TEXT COLLATE "C" NOT NULL REFERENCES providers (id),
    environment TEXT COLLATE "C" NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    issuer_pin  BYTEA CHECK (length(issuer_pin) = 32),
    exclusive   BIGINT NOT NULL CHECK (exclusive IN (0, 1)),
    since       BIGINT NOT NULL,
    revoked     BIGINT,
    revision    BIGINT NOT NULL
);

-- A certification authority does not tell host names apart by case, so neither do two enrolments.
CREATE UNIQUE INDEX client_certs_in_any_case ON client_certs (lower(common_name));
CREATE INDEX client_certs_by_provider ON client_certs (provider, common_name);
CREATE INDEX client_certs_by_revision ON client_certs (revision);

-- What a client certificate opens by itself (TLS-12).
CREATE TABLE client_cert_grants (
    common_name TEXT COLLATE "C" NOT NULL REFERENCES client_certs (common_name),
    service     TEXT COLLATE "C" NOT NULL CHECK (octet_length(service) BETWEEN 1 AND 128),
    PRIMARY KEY (common_name, service)
);

-- Every public key that a signing certificate ever had, with the one environment that it belongs to (ENV-2). A renewed
-- certificate may keep its key; a key does not change its environment.
CREATE TABLE signing_keys (
    digest      BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    environment TEXT COLLATE "C" NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    UNIQUE (digest, environment)
);

-- Signing certificates as parsed columns (M2M-3, M2M-8), so that nothing is parsed again when a node starts. The
-- uniqueness of both thumbprints is ENV-2, and leaves no certificate with two owners.
CREATE TABLE signing_certs (
    thumbprint      BYTEA NOT NULL UNIQUE CHECK (length(thumbprint) = 32),
    thumbprint_sha1 BYTEA NOT NULL UNIQUE CHECK (length(thumbprint_sha1) = 20),
    owner           TEXT COLLATE "C" NOT NULL REFERENCES owners (id),
    issuer          TEXT COLLATE "C" NOT NULL CHECK (octet_length(issuer) BETWEEN 1 AND 1024),
    environment     TEXT COLLATE "C" NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    legacy_sha1     BIGINT NOT NULL CHECK (legacy_sha1 IN (0, 1)),
    key_kind        TEXT COLLATE "C" NOT NULL,
    public_key      BYTEA NOT NULL,
    key_digest      BYTEA NOT NULL,
    not_before      BIGINT NOT NULL,
    not_after       BIGINT NOT NULL CHECK (not_after >= not_before),
    subject         TEXT COLLATE "C" NOT NULL,
    serial          TEXT COLLATE "C" NOT NULL,
    since           BIGINT NOT NULL,
    revoked         BIGINT,
    revision        BIGINT NOT NULL,
    FOREIGN KEY (key_digest, environment) REFERENCES signing_keys (digest, environment)
);

CREATE INDEX signing_certs_by_credential ON signing_certs (owner, issuer, environment);
CREATE INDEX signing_certs_by_revision ON signing_certs (revision);
CREATE INDEX signing_certs_by_key ON signing_certs (key_digest, environment);

-- The certificates themselves, beside the columns: only a listing or an export reads them.
CREATE TABLE signing_cert_ders (
    thumbprint BYTEA PRIMARY KEY REFERENCES signing_certs (thumbprint),
    der        BYTEA NOT NULL
);

-- Tokens that may be used once and were (M2M-10), by a digest of their `jti`, until nobody would accept them any more.
CREATE TABLE spent_tokens (
    credential BYTEA NOT NULL CHECK (length(credential) = 32),
    jti_digest BYTEA NOT NULL CHECK (length(jti_digest) = 32),
    expires    BIGINT NOT NULL,
    PRIMARY KEY (credential, jti_digest)
);

CREATE INDEX spent_tokens_by_expiry ON spent_tokens (expires);

-- Registered clients. The primary key is ENV-2: one id, one environment, for ever.
CREATE TABLE clients (
    id          TEXT COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 128),
    provider    TEXT COLLATE "C" NOT NULL REFERENCES providers (id),
    environment TEXT COLLATE "C" NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    name        TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('cloud', 'native')),
    algorithm   TEXT COLLATE "C" NOT NULL CHECK (algorithm IN ('ES256', 'RS256', 'RS512')),
    since       BIGINT NOT NULL,
    disabled    BIGINT,
    revision    BIGINT NOT NULL
);

CREATE INDEX clients_by_provider ON clients (provider, id);
CREATE INDEX clients_by_revision ON clients (revision);

-- Where a client's answers may be sent (OA-4).
CREATE TABLE redirect_uris (
    client TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    uri    TEXT COLLATE "C" NOT NULL CHECK (octet_length(uri) BETWEEN 1 AND 1024),
    PRIMARY KEY (client, uri)
);

-- Every secret that a client ever had; at most two have not ended (OA-2).
CREATE TABLE client_secrets (
    digest BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    client TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    number BIGINT NOT NULL CHECK (number > 0),
    since  BIGINT NOT NULL,
    ended  BIGINT,
    UNIQUE (client, number)
);

-- The built-in directory. A gateway with another one has no rows here, so nothing below refers to this table.
CREATE TABLE customers (
    subject  TEXT COLLATE "C" PRIMARY KEY CHECK (length(subject) = 36),
    user_id  TEXT COLLATE "C" NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 128),
    -- The user id as it is looked up: without case, and without space around it (C24).
    account  TEXT COLLATE "C" NOT NULL UNIQUE,
    name     TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    password TEXT COLLATE "C" NOT NULL CHECK (password LIKE '$argon2id$%'),
    totp     BYTEA,
    since    BIGINT NOT NULL,
    disabled BIGINT
);

-- Which client may act for which customer (OA-7, OA-19).
CREATE TABLE consents (
    subject TEXT COLLATE "C" NOT NULL CHECK (length(subject) = 36),
    client  TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    since   BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (subject, client)
);

CREATE INDEX consents_by_end ON consents (until);

-- Authorization codes (OA-8). A redeemed one says which family it began, and is kept for a day: whoever presents it again
-- ends that family.
CREATE TABLE codes (
    digest       BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    client       TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    subject      TEXT COLLATE "C" NOT NULL CHECK (length(subject) = 36),
    logon        TEXT COLLATE "C" NOT NULL CHECK (octet_length(logon) BETWEEN 1 AND 128),
    redirect_uri TEXT COLLATE "C" NOT NULL,
    challenge    TEXT COLLATE "C",
    expires      BIGINT NOT NULL,
    -- No reference: the family may be forgotten first, and the code is redeemed all the same.
    family       TEXT COLLATE "C",
    until        BIGINT NOT NULL
);

CREATE INDEX codes_by_subject ON codes (subject, client);
CREATE INDEX codes_by_end ON codes (until);

-- Families: all tokens of one login (OA-13). `until` is when the last of them has run out.
CREATE TABLE families (
    id      TEXT COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 128),
    client  TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    subject TEXT COLLATE "C" NOT NULL CHECK (length(subject) = 36),
    logon   TEXT COLLATE "C" NOT NULL CHECK (octet_length(logon) BETWEEN 1 AND 128),
    since   BIGINT NOT NULL,
    revoked BIGINT,
    until   BIGINT NOT NULL
);

CREATE INDEX families_by_subject ON families (subject, client);
CREATE INDEX families_by_client ON families (client);
CREATE INDEX families_by_end ON families (until);

-- Refresh tokens (OA-12). A spent one is kept as long as it would have been good.
CREATE TABLE refresh_tokens (
    digest BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    family TEXT COLLATE "C" NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    spent  BIGINT,
    until  BIGINT NOT NULL
);

-- Of two that race for the place of the live one, one has none, whatever program writes (C11).
CREATE UNIQUE INDEX refresh_tokens_live ON refresh_tokens (family) WHERE spent IS NULL;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (until);

-- What every node knows in memory (OA-16): families and single access tokens (by `jti`) that are revoked, until no access
-- token of theirs can be good.
CREATE TABLE revocations (
    kind     TEXT COLLATE "C" NOT NULL CHECK (kind IN ('family', 'token')),
    name     TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
    until    BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE INDEX revocations_by_revision ON revocations (revision);
CREATE INDEX revocations_by_end ON revocations (until);

-- Logins that stand in a browser (OA-7).
CREATE TABLE sessions (
    digest  BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    subject TEXT COLLATE "C" NOT NULL CHECK (length(subject) = 36),
    logon   TEXT COLLATE "C" NOT NULL CHECK (octet_length(logon) BETWEEN 1 AND 128),
    until   BIGINT NOT NULL
);

CREATE INDEX sessions_by_subject ON sessions (subject);
CREATE INDEX sessions_by_end ON sessions (until);

-- Whatever works once, and was used: transactions, forms, one-time passwords (C21, C26).
CREATE TABLE spent_once (
    digest BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    until  BIGINT NOT NULL
);

CREATE INDEX spent_once_by_end ON spent_once (until);

-- Failed logins, by a digest of the account or the address (OA-18).
CREATE TABLE attempts (
    digest   BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    failures BIGINT NOT NULL CHECK (failures > 0),
    last     BIGINT NOT NULL,
    until    BIGINT NOT NULL
);

CREATE INDEX attempts_by_end ON attempts (until);

-- The keys that access tokens are signed with (OA-10), sealed. Each belongs to one environment (ENV-2).
CREATE TABLE oauth_keys (
    kid            TEXT COLLATE "C" PRIMARY KEY CHECK (length(kid) = 43),
    environment    TEXT COLLATE "C" NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    algorithm      TEXT COLLATE "C" NOT NULL CHECK (algorithm IN ('ES256', 'RS256', 'RS512')),
    sealed         BYTEA NOT NULL,
    since          BIGINT NOT NULL,
    signs_from     BIGINT NOT NULL,
    verifies_until BIGINT
);
