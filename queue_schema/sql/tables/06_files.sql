-- Files by content hash. A file is reachable only through its project (I15), and an attempt's outputs only once
-- it has succeeded (I7).
create table fleet.blobs (
  project_id uuid not null,
  sha256     text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  size       bigint not null check (size >= 0),
  media_type text not null,
  visible    boolean not null,
  created_at timestamptz not null default fleet.now(),
  made_by    uuid,
  leaving_at timestamptz,
  removing_until timestamptz,
  primary key (project_id, sha256)
);
create index blobs_by_maker on fleet.blobs (made_by) where made_by is not null;
create index blobs_leaving on fleet.blobs (leaving_at) where leaving_at is not null;
comment on table fleet.blobs is 'Files in the blob store.';
comment on column fleet.blobs.project_id is 'Its project.';
comment on column fleet.blobs.sha256 is 'Of its content, in lower-case hex.';
comment on column fleet.blobs.size is 'In bytes.';
comment on column fleet.blobs.media_type is 'As its first sender said.';
comment on column fleet.blobs.visible is 'False while only a running attempt knows of it.';
comment on column fleet.blobs.created_at is 'Stored, the last time; of what jobs store again within a day, the first time.';
comment on column fleet.blobs.made_by is 'The job that stored it; null: a client did.';
comment on column fleet.blobs.removing_until is 'Somebody is removing it from the store, and has said so until then.';
comment on column fleet.blobs.leaving_at is 'Set: nobody sees it any more, and from then on the store removes it; infinity: it waits for jobs to end.';

create table fleet.artifacts (
  job_id     uuid not null,
  name       text not null,
  project_id uuid not null,
  sha256     text not null,
  size       bigint not null,
  media_type text not null,
  primary key (job_id, name)
);
create index artifacts_by_blob on fleet.artifacts (project_id, sha256);
comment on table fleet.artifacts is 'Outputs of jobs that succeeded.';
comment on column fleet.artifacts.job_id is 'The job.';
comment on column fleet.artifacts.name is 'The name people download it by.';
comment on column fleet.artifacts.project_id is 'Its project.';
comment on column fleet.artifacts.sha256 is 'Which blob.';
comment on column fleet.artifacts.size is 'In bytes.';
comment on column fleet.artifacts.media_type is 'Its type.';

create table fleet.checkpoints (
  job_id     uuid primary key,
  project_id uuid not null,
  token      uuid not null,
  attempt    integer not null,
  sha256     text not null,
  size       bigint not null,
  step       bigint not null,
  at         timestamptz not null
);
comment on table fleet.checkpoints is 'Where an unfinished job got to: the next attempt goes on from here.';
comment on column fleet.checkpoints.job_id is 'The job.';
comment on column fleet.checkpoints.project_id is 'Its project.';
comment on column fleet.checkpoints.token is 'The attempt that wrote it.';
comment on column fleet.checkpoints.attempt is 'Its number.';
comment on column fleet.checkpoints.sha256 is 'Which blob.';
comment on column fleet.checkpoints.size is 'In bytes.';
comment on column fleet.checkpoints.step is 'Steps done.';
comment on column fleet.checkpoints.at is 'When.';

create table fleet.webhook_deliveries (
  delivery_id bigint generated always as identity primary key,
  project_id  uuid not null,
  job_id      uuid not null,
  url         text not null,
  body        jsonb not null,
  state       text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  tries       integer not null default 0,
  due_at      timestamptz not null,
  detail      text,
  created_at  timestamptz not null
);
create index webhook_deliveries_due on fleet.webhook_deliveries (due_at) where state = 'pending';
comment on table fleet.webhook_deliveries is 'Calls to make, written in the commit that ended the job.';
comment on column fleet.webhook_deliveries.delivery_id is 'Key; the receiver sees it as webhook-id.';
comment on column fleet.webhook_deliveries.project_id is 'Whose secret signs it.';
comment on column fleet.webhook_deliveries.job_id is 'The job that ended.';
comment on column fleet.webhook_deliveries.url is 'Where to.';
comment on column fleet.webhook_deliveries.body is 'What is sent.';
comment on column fleet.webhook_deliveries.state is 'pending, delivered, or dead after eight tries.';
comment on column fleet.webhook_deliveries.tries is 'So far.';
comment on column fleet.webhook_deliveries.due_at is 'Next try.';
comment on column fleet.webhook_deliveries.detail is 'Of the last try.';
comment on column fleet.webhook_deliveries.created_at is 'When the job ended.';
