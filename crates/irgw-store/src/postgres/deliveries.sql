-- The second version in PostgreSQL, what SQLite has after its fourth: providers' file servers (SFTP-1, SFTP-2, PGP-1), and the ledger of what is delivered to them (SFTP-4).
--
-- Nothing is deleted: the ledger is what says that a file was delivered, and that its name is taken for ever.

-- Providers' file servers, one for each file environment: where it is, who it proves to be, and whose key its files are
-- encrypted to. Keys and names are checked before they come here.
CREATE TABLE partners (
    provider      TEXT COLLATE "C" NOT NULL REFERENCES providers (id),
    environment   TEXT COLLATE "C" NOT NULL CHECK (length(environment) = 3),
    platform      TEXT COLLATE "C" NOT NULL CHECK (length(platform) = 10),
    host          TEXT COLLATE "C" NOT NULL,
    port          BIGINT NOT NULL CHECK (port BETWEEN 1 AND 65535),
    login         TEXT COLLATE "C" NOT NULL,
    host_pin      TEXT COLLATE "C" NOT NULL,
    next_host_pin TEXT COLLATE "C",
    certificate   BYTEA NOT NULL,
    fingerprint   TEXT COLLATE "C" NOT NULL,
    container     TEXT COLLATE "C" NOT NULL CHECK (container IN ('seipd1', 'seipd2')),
    sha1_until    BIGINT,
    inbox         TEXT COLLATE "C" NOT NULL,
    outbox        TEXT COLLATE "C",
    archive       TEXT COLLATE "C",
    compression   TEXT COLLATE "C" NOT NULL CHECK (compression IN ('none', 'zip', 'zlib')),
    connections   BIGINT NOT NULL CHECK (connections BETWEEN 1 AND 8),
    since         BIGINT NOT NULL,
    disabled      BIGINT,
    PRIMARY KEY (provider, environment)
);

-- One row a set. `turn` counts the claims: only the latest one may write. Through the second `claimed` somebody is at it.
-- `sent` is how much of the files without a name yet is on its way, as last noted: for those who watch.
CREATE TABLE deliveries (
    number      BIGINT PRIMARY KEY CHECK (number > 0),
    provider    TEXT COLLATE "C" NOT NULL REFERENCES providers (id),
    environment TEXT COLLATE "C" NOT NULL CHECK (length(environment) = 3),
    feed        TEXT COLLATE "C" NOT NULL CHECK (feed IN ('tds', 'psn')),
    folder      TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'held', 'delivered', 'cancelled')),
    since       BIGINT NOT NULL,
    ended       BIGINT,
    turn        BIGINT NOT NULL,
    claimed     BIGINT NOT NULL,
    due         BIGINT NOT NULL,
    failures    BIGINT NOT NULL,
    sent        BIGINT NOT NULL CHECK (sent >= 0),
    fault       TEXT COLLATE "C",
    rule        TEXT COLLATE "C"
);

CREATE INDEX deliveries_by_feed ON deliveries (provider, environment, feed, number) WHERE state IN ('queued', 'held');
CREATE INDEX deliveries_by_provider ON deliveries (provider, number);

-- One row a file. Once it is whole at the far end, `temporary` and `sealed_…` say what is there.
CREATE TABLE parcels (
    delivery      BIGINT NOT NULL REFERENCES deliveries (number),
    number        BIGINT NOT NULL CHECK (number >= 0),
    name          TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
    bytes         BIGINT NOT NULL CHECK (bytes >= 0),
    digest        BYTEA NOT NULL CHECK (length(digest) = 32),
    temporary     TEXT COLLATE "C",
    sealed_bytes  BIGINT,
    sealed_digest BYTEA CHECK (length(sealed_digest) = 32),
    delivered     BIGINT,
    PRIMARY KEY (delivery, number)
);

-- Names that are taken: one delivery for each name of a provider, unless that was cancelled before the file was sent.
CREATE TABLE delivered_names (
    provider TEXT COLLATE "C" NOT NULL REFERENCES providers (id),
    name     TEXT COLLATE "C" NOT NULL,
    delivery BIGINT NOT NULL REFERENCES deliveries (number),
    PRIMARY KEY (provider, name)
);
