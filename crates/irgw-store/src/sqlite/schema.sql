-- The first version of the database.
--
-- Rows are never deleted, save spent tokens: what ends is marked with the time it ended, so that a reader which asks
-- for "everything after revision N" sees endings too. Times are whole seconds since the Unix epoch.

CREATE TABLE revision (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT;

INSERT INTO revision (only, value) VALUES (1, 0);

-- Parties (ENV-1) and what links them. Parties belong to no environment; their credentials do.

CREATE TABLE providers (
    id    TEXT PRIMARY KEY CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 128),
    name  TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 256),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE owners (
    id    TEXT PRIMARY KEY CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 128),
    name  TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 256),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which provider acts for which resource owner (M2M-9).
CREATE TABLE acts_for (
    owner    TEXT NOT NULL REFERENCES owners (id),
    provider TEXT NOT NULL REFERENCES providers (id),
    since    INTEGER NOT NULL,
    ended    INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (owner, provider)
) STRICT, WITHOUT ROWID;

CREATE INDEX acts_for_by_provider ON acts_for (provider, owner);
CREATE INDEX acts_for_by_revision ON acts_for (revision);

-- Which myIR logon is linked to which resource owner (M2M-7).
CREATE TABLE logons (
    owner    TEXT NOT NULL REFERENCES owners (id),
    logon    TEXT NOT NULL CHECK (length(CAST(logon AS BLOB)) BETWEEN 1 AND 128),
    since    INTEGER NOT NULL,
    ended    INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (owner, logon)
) STRICT, WITHOUT ROWID;

CREATE INDEX logons_by_revision ON logons (revision);

-- Client certificates by Common Name (TLS-6). The primary key is ENV-2: one name, one environment, for ever.
CREATE TABLE client_certs (
    common_name TEXT PRIMARY KEY CHECK (length(CAST(common_name AS BLOB)) BETWEEN 1 AND 255),
    provider    TEXT NOT NULL REFERENCES providers (id),
    environment TEXT NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    issuer_pin  BLOB CHECK (length(issuer_pin) = 32),
    exclusive   INTEGER NOT NULL CHECK (exclusive IN (0, 1)),
    since       INTEGER NOT NULL,
    revoked     INTEGER,
    revision    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A certification authority does not tell host names apart by case, so neither do two enrolments.
CREATE UNIQUE INDEX client_certs_in_any_case ON client_certs (common_name COLLATE NOCASE);
CREATE INDEX client_certs_by_provider ON client_certs (provider, common_name);
CREATE INDEX client_certs_by_revision ON client_certs (revision);

-- What a client certificate opens by itself (TLS-12).
CREATE TABLE client_cert_grants (
    common_name TEXT NOT NULL REFERENCES client_certs (common_name),
    service     TEXT NOT NULL CHECK (length(CAST(service AS BLOB)) BETWEEN 1 AND 128),
    PRIMARY KEY (common_name, service)
) STRICT, WITHOUT ROWID;

-- Every public key that a signing certificate ever had, with the one environment that it belongs to (ENV-2). A renewed
-- certificate may keep its key; a key does not change its environment.
CREATE TABLE signing_keys (
    digest      BLOB PRIMARY KEY CHECK (length(digest) = 32),
    environment TEXT NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    UNIQUE (digest, environment)
) STRICT, WITHOUT ROWID;

-- Signing certificates as parsed columns (M2M-3, M2M-8), so that nothing is parsed again when a node starts. The
-- uniqueness of both thumbprints is ENV-2, and leaves no certificate with two owners.
CREATE TABLE signing_certs (
    thumbprint      BLOB NOT NULL UNIQUE CHECK (length(thumbprint) = 32),
    thumbprint_sha1 BLOB NOT NULL UNIQUE CHECK (length(thumbprint_sha1) = 20),
    owner           TEXT NOT NULL REFERENCES owners (id),
    issuer          TEXT NOT NULL CHECK (length(CAST(issuer AS BLOB)) BETWEEN 1 AND 1024),
    environment     TEXT NOT NULL CHECK (environment IN ('mock', 'test', 'prod')),
    legacy_sha1     INTEGER NOT NULL CHECK (legacy_sha1 IN (0, 1)),
    key_kind        TEXT NOT NULL,
    public_key      BLOB NOT NULL,
    key_digest      BLOB NOT NULL,
    not_before      INTEGER NOT NULL,
    not_after       INTEGER NOT NULL CHECK (not_after >= not_before),
    subject         TEXT NOT NULL,
    serial          TEXT NOT NULL,
    since           INTEGER NOT NULL,
    revoked         INTEGER,
    revision        INTEGER NOT NULL,
    FOREIGN KEY (key_digest, environment) REFERENCES signing_keys (digest, environment)
) STRICT;

CREATE INDEX signing_certs_by_credential ON signing_certs (owner, issuer, environment);
CREATE INDEX signing_certs_by_revision ON signing_certs (revision);
CREATE INDEX signing_certs_by_key ON signing_certs (key_digest, environment);

-- The certificates themselves, beside the columns: only a listing or an export reads them.
CREATE TABLE signing_cert_ders (
    thumbprint BLOB PRIMARY KEY REFERENCES signing_certs (thumbprint),
    der        BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Tokens that may be used once and were (M2M-10), by a digest of their `jti`, until nobody would accept them any more.
CREATE TABLE spent_tokens (
    credential BLOB NOT NULL CHECK (length(credential) = 32),
    jti_digest BLOB NOT NULL CHECK (length(jti_digest) = 32),
    expires    INTEGER NOT NULL,
    PRIMARY KEY (credential, jti_digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_tokens_by_expiry ON spent_tokens (expires);
