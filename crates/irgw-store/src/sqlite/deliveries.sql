-- The fourth version: providers' file servers (SFTP-1, SFTP-2, PGP-1), and the ledger of what is delivered to them (SFTP-4).
--
-- Nothing is deleted: the ledger is what says that a file was delivered, and that its name is taken for ever.

-- Providers' file servers, one for each file environment: where it is, who it proves to be, and whose key its files are
-- encrypted to. Keys and names are checked before they come here.
CREATE TABLE partners (
    provider      TEXT NOT NULL REFERENCES providers (id),
    environment   TEXT NOT NULL CHECK (length(environment) = 3),
    platform      TEXT NOT NULL CHECK (length(platform) = 10),
    host          TEXT NOT NULL,
    port          INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    login         TEXT NOT NULL,
    host_pin      TEXT NOT NULL,
    next_host_pin TEXT,
    certificate   BLOB NOT NULL,
    fingerprint   TEXT NOT NULL,
    container     TEXT NOT NULL CHECK (container IN ('seipd1', 'seipd2')),
    sha1_until    INTEGER,
    inbox         TEXT NOT NULL,
    outbox        TEXT,
    archive       TEXT,
    compression   TEXT NOT NULL CHECK (compression IN ('none', 'zip', 'zlib')),
    connections   INTEGER NOT NULL CHECK (connections BETWEEN 1 AND 8),
    since         INTEGER NOT NULL,
    disabled      INTEGER,
    PRIMARY KEY (provider, environment)
) STRICT, WITHOUT ROWID;

-- One row a set. `turn` counts the claims: only the latest one may write. Through the second `claimed` somebody is at it.
-- `sent` is how much of the files without a name yet is on its way, as last noted: for those who watch.
CREATE TABLE deliveries (
    number      INTEGER PRIMARY KEY CHECK (number > 0),
    provider    TEXT NOT NULL REFERENCES providers (id),
    environment TEXT NOT NULL CHECK (length(environment) = 3),
    feed        TEXT NOT NULL CHECK (feed IN ('tds', 'psn')),
    folder      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'held', 'delivered', 'cancelled')),
    since       INTEGER NOT NULL,
    ended       INTEGER,
    turn        INTEGER NOT NULL,
    claimed     INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    sent        INTEGER NOT NULL CHECK (sent >= 0),
    fault       TEXT,
    rule        TEXT
) STRICT;

CREATE INDEX deliveries_by_feed ON deliveries (provider, environment, feed, number) WHERE state IN ('queued', 'held');
CREATE INDEX deliveries_by_provider ON deliveries (provider, number);

-- One row a file. Once it is whole at the far end, `temporary` and `sealed_…` say what is there.
CREATE TABLE parcels (
    delivery      INTEGER NOT NULL REFERENCES deliveries (number),
    number        INTEGER NOT NULL CHECK (number >= 0),
    name          TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
    bytes         INTEGER NOT NULL CHECK (bytes >= 0),
    digest        BLOB NOT NULL CHECK (length(digest) = 32),
    temporary     TEXT,
    sealed_bytes  INTEGER,
    sealed_digest BLOB CHECK (length(sealed_digest) = 32),
    delivered     INTEGER,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Names that are taken: one delivery for each name of a provider, unless that was cancelled before the file was sent.
CREATE TABLE delivered_names (
    provider TEXT NOT NULL REFERENCES providers (id),
    name     TEXT NOT NULL,
    delivery INTEGER NOT NULL REFERENCES deliveries (number),
    PRIMARY KEY (provider, name)
) STRICT, WITHOUT ROWID;
