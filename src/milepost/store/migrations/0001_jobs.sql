-- One row a job: what lists are filtered and ordered by. Everything else is in its events.
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sequence INTEGER NOT NULL,
    status INTEGER NOT NULL,
    owner TEXT NOT NULL,
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    priority INTEGER NOT NULL,
    key TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL
);

-- Every list is asked for status by status, so that each part of it is a piece of one of these in order.
-- The number of a row ends every index by itself, so equal times keep the order of submission.
CREATE INDEX jobs_by_status ON jobs (status, submitted_at);
CREATE INDEX jobs_by_owner ON jobs (owner, status, submitted_at);
CREATE INDEX jobs_by_service ON jobs (service, status, submitted_at);
CREATE INDEX jobs_by_operation ON jobs (operation, status, submitted_at);
CREATE UNIQUE INDEX jobs_by_key ON jobs (owner, key) WHERE key <> '';

CREATE TABLE events (
    job INTEGER NOT NULL REFERENCES jobs (number),
    sequence INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job, sequence)
) WITHOUT ROWID;

-- Values too large to travel with every read of a job.
CREATE TABLE payloads (
    job INTEGER NOT NULL REFERENCES jobs (number),
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (job, name)
);
