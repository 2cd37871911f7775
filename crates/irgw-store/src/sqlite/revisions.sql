-- The second version: each revision has a tag of its own, drawn at random when it is made.
--
-- Two histories that part (a copy was put back, and other changes were made to it) reach the same numbers, and not the
-- same tags. Only as many are kept as a running reader may lag behind; one that lags more reads everything.

CREATE TABLE revisions (
    value INTEGER PRIMARY KEY CHECK (value >= 0),
    tag   INTEGER NOT NULL
) STRICT;

INSERT INTO revisions (value, tag) SELECT value, random() FROM revision;

DROP TABLE revision;
