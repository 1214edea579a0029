/**
 * The schema, as steps that are only ever added to: `PRAGMA user_version` counts those a database has taken.
 *
 * `job` holds what changes while a job lives and stays narrow, because SQLite rewrites a whole row on each update and a claim
 * walks these pages; what a person asked for (`request`) and what came of it (`outcome`) are written once and lie apart.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE job (
    seq INTEGER PRIMARY KEY,            -- order of admission
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,        -- times are ms since 1970
    updated_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    queue_deadline INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    undelivered INTEGER NOT NULL,
    sealed INTEGER NOT NULL,            -- whether its log is final: a row of log
    last_n INTEGER NOT NULL             -- number of its last event
  ) STRICT;
  CREATE INDEX job_by_state ON job (state, seq);
  CREATE INDEX job_to_claim ON job (priority DESC, seq) WHERE state = 'queued';
  CREATE INDEX job_to_expire ON job (queue_deadline) WHERE state = 'queued' AND started_at IS NULL;
  CREATE INDEX job_ended ON job (ended_at, seq) WHERE ended_at IS NOT NULL;
  CREATE INDEX job_to_seal ON job (seq) WHERE ended_at IS NOT NULL AND sealed = 0;
  CREATE INDEX job_to_deliver ON job (seq) WHERE undelivered = 1;

  CREATE TABLE request (
    job INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    spec TEXT NOT NULL,                 -- JSON
    snapshot TEXT,                      -- JSON
    retry_of TEXT
  ) STRICT;
  CREATE TABLE outcome (
    job INTEGER PRIMARY KEY,
    failure TEXT,                       -- JSON
    result TEXT                         -- JSON
  ) STRICT;

  CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL                  -- JSON
  ) STRICT;
  CREATE UNIQUE INDEX event_of_job ON event (job, n);

  CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    job INTEGER NOT NULL,
    body_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_by_age ON idempotency (created_at);
  CREATE INDEX idempotency_of_job ON idempotency (job);

  CREATE TABLE process (
    job INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start_time TEXT NOT NULL,
    PRIMARY KEY (job, pid, start_time)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE log (
    job INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    sealed_at INTEGER NOT NULL
  ) STRICT;

  -- The highest numbers ever given, where the rows that held them may be gone: a cursor never means two things.
  CREATE TABLE floor (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- At home: the attempt of a job that runs on another node.
  CREATE TABLE away (
    job INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    worker TEXT NOT NULL,               -- id of the node
    seen INTEGER NOT NULL,              -- number of the worker's last event that is stored here
    log_offset INTEGER NOT NULL         -- where the attempt's log begins in the job's
  ) STRICT;
  CREATE TABLE placement (
    job INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    record TEXT NOT NULL,               -- JSON
    PRIMARY KEY (job, epoch)
  ) STRICT, WITHOUT ROWID;

  -- At a worker: attempts of other nodes' jobs, until their home has all of it.
  CREATE TABLE hosted (
    seq INTEGER PRIMARY KEY,
    home TEXT NOT NULL,
    job TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL,
    award TEXT NOT NULL,                -- JSON
    ended TEXT,                         -- JSON: how the attempt went
    last_n INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    UNIQUE (home, job, epoch)
  ) STRICT;
  CREATE TABLE hosted_event (
    hosted INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,                 -- JSON
    PRIMARY KEY (hosted, n)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Attempts that were lost, of all that were made: only those count against the most a job may have.
  ALTER TABLE job ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;

  -- At home: a job may have an attempt on another node beside its newest one, set aside but not given up.
  CREATE TABLE away_by_epoch (
    job INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    worker TEXT NOT NULL,               -- id of the node
    seen INTEGER NOT NULL,              -- number of the worker's last event that is stored here
    log_offset INTEGER NOT NULL,        -- where the attempt's log begins in the job's
    aside INTEGER NOT NULL,             -- whether the job went on without it
    PRIMARY KEY (job, epoch)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO away_by_epoch SELECT job, epoch, worker, seen, log_offset, 0 FROM away;
  DROP TABLE away;
  ALTER TABLE away_by_epoch RENAME TO away;

  -- At home: attempts that it wants nothing more of, until the nodes that have them were told.
  CREATE TABLE dismissal (
    worker TEXT NOT NULL,
    job TEXT NOT NULL,                  -- id: the job may be gone before its worker is reached
    epoch INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (worker, job, epoch)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What attempts teach, the latest of each kind: rings, whose next row takes the place of the oldest.
  CREATE TABLE ran (
    slot INTEGER PRIMARY KEY,
    n INTEGER NOT NULL UNIQUE,          -- rises
    agent TEXT NOT NULL,
    executor TEXT NOT NULL,
    model TEXT,
    repository TEXT,
    ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE kept (
    slot INTEGER PRIMARY KEY,
    n INTEGER NOT NULL UNIQUE,
    node TEXT NOT NULL,
    agent TEXT NOT NULL,
    executor TEXT NOT NULL,
    model TEXT,
    promised_start INTEGER NOT NULL,    -- ms, from the award
    promised_run INTEGER NOT NULL,
    start INTEGER NOT NULL,
    run INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Jobs that say which task of a spec they are for.
  CREATE TABLE spec_task (
    job INTEGER PRIMARY KEY,
    feature TEXT NOT NULL,
    task TEXT NOT NULL,
    repository TEXT NOT NULL            -- path of the work tree
  ) STRICT;
  CREATE INDEX spec_task_of_feature ON spec_task (feature, repository, task, job);
  `,
  `
  ALTER TABLE spec_task ADD COLUMN wording TEXT;   -- hash of what the task asked for when the job was made
  `,
  `
  CREATE INDEX spec_task_by_feature ON spec_task (feature, job);
  CREATE INDEX spec_task_by_tree ON spec_task (feature, repository, job);
  `,
  `
  ALTER TABLE away ADD COLUMN executor TEXT NOT NULL DEFAULT 'process';   -- of the worker, by name
  `,
]
