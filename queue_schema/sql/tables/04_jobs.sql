-- The queue. A job is in exactly one place (I1): waiting, ready, leases, or ended (jobs.outcome). Hot and cold
-- are apart, since queues in PostgreSQL die of dead tuples and index writes: a claim writes ready and leases only.
-- The hot tables and jobs have no foreign keys: their rows are written by the functions alone, and a key check
-- would lock a shared parent row on every one. Nor have jobs checks, which are read from their text again in each
-- statement (a fifteenth of a submission): that an end is whole is an invariant of the tests.
create table fleet.shapes (
  shape_id  bigint generated always as identity primary key,
  gpus      integer not null,
  vram_mib  integer not null,
  cpu_milli integer not null,
  ram_mib   integer not null,
  disk_mib  integer not null,
  device    text not null,
  labels    jsonb not null,
  kind      text not null,
  pools     text[],
  unique nulls not distinct (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels, kind, pools)
);
comment on table fleet.shapes is 'Distinct sets of requirements: all that decides whether a node can run a job.';
comment on column fleet.shapes.shape_id is 'Key.';
comment on column fleet.shapes.gpus is 'Devices, all of one node.';
comment on column fleet.shapes.vram_mib is 'Memory on each device.';
comment on column fleet.shapes.cpu_milli is 'CPU, in thousandths of a core.';
comment on column fleet.shapes.ram_mib is 'Host memory.';
comment on column fleet.shapes.disk_mib is 'Scratch space.';
comment on column fleet.shapes.device is 'any, gpu or ram.';
comment on column fleet.shapes.labels is 'The node must carry all of them.';
comment on column fleet.shapes.kind is 'The agent must be able to run it.';
comment on column fleet.shapes.pools is 'The node must be in one of them; null: any node.';

-- VRAM is what is learned and raised of a need with devices, host memory of one without.
create table fleet.needs (
  need_id           bigint generated always as identity primary key,
  project_id        uuid not null references fleet.projects,
  kind              text not null references fleet.kinds,
  model_key         text not null,
  size_key          text not null,
  declared_shape_id bigint not null references fleet.shapes,
  stated            boolean not null,
  shape_id          bigint not null references fleet.shapes,
  run_s             double precision,
  runs              bigint not null default 0,
  recent_run_s      double precision[] not null default '{}',
  recent_peak_mib   integer[] not null default '{}',
  learned_mib       integer,
  raised_mib        integer,
  raised_ram_mib    integer,
  raised_until      timestamptz,
  outgrown          boolean not null default false,
  plain             boolean not null default false,
  unique (project_id, declared_shape_id, stated, model_key, size_key, kind)
) with (fillfactor = 50);
create index needs_by_size on fleet.needs (kind, model_key, size_key, need_id);
create index needs_plain on fleet.needs (project_id, kind, model_key, size_key) where plain;
comment on table fleet.needs is 'What a (project, kind, model, size) with one declared need needs now; learning moves a whole backlog by one update.';
comment on column fleet.needs.need_id is 'Key.';
comment on column fleet.needs.project_id is 'The project.';
comment on column fleet.needs.kind is 'The kind.';
comment on column fleet.needs.model_key is 'The model, or empty.';
comment on column fleet.needs.size_key is 'The parameters that decide the size of a job, or empty.';
comment on column fleet.needs.declared_shape_id is 'What was asked for.';
comment on column fleet.needs.stated is 'The submission named this memory itself: a promise, which what is learned never lowers.';
comment on column fleet.needs.shape_id is 'What is booked now.';
comment on column fleet.needs.run_s is 'How long an attempt takes (nine of ten take less); null: not known yet.';
comment on column fleet.needs.runs is 'Attempts that succeeded, since it is known.';
comment on column fleet.needs.recent_run_s is 'How long the last successful attempts took, oldest first; 50 at most.';
comment on column fleet.needs.recent_peak_mib is 'The most memory the last attempts had in use, oldest first; 20 at most.';
comment on column fleet.needs.learned_mib is 'Memory by the last attempts; null: fewer than five were measured.';
comment on column fleet.needs.raised_mib is 'VRAM on each device, since an attempt with less ran out of it.';
comment on column fleet.needs.raised_ram_mib is 'Host memory, since an attempt with less ran out of it.';
comment on column fleet.needs.raised_until is 'So long is it raised; the next round of learn lowers it.';
comment on column fleet.needs.outgrown is 'It has run out of its memory before: what was learned holds where it is more than declared.';
comment on column fleet.needs.plain is 'Known to be that of jobs which say nothing of their needs: a note for submissions, taken back when the kind changes.';

-- Not logged: a crash costs a few seconds of statistics.
create unlogged table fleet.observations (
  lane_id  bigint not null,
  at       timestamptz not null,
  runs     bigint not null,
  run_s    double precision[],
  peak_mib integer[],
  grew_mib integer,
  ended    bigint,
  outcome  text,
  cause    text
);
comment on table fleet.observations is 'What attempts took, that learn has not taken up yet: settles only append, so that none waits for another.';
comment on column fleet.observations.lane_id is 'Their lane: it leads to the need.';
comment on column fleet.observations.at is 'When they ended.';
comment on column fleet.observations.runs is 'How many succeeded.';
comment on column fleet.observations.run_s is 'How long some of them took.';
comment on column fleet.observations.peak_mib is 'The most memory in use, the largest of them.';
comment on column fleet.observations.ended is 'How many ended otherwise; null: those are successes, counted in runs.';
comment on column fleet.observations.outcome is 'How these ended: failed or released.';
comment on column fleet.observations.cause is 'Why.';
comment on column fleet.observations.grew_mib is 'What attempts had when they ran out of memory: at least so much is needed.';

create table fleet.lanes (
  lane_id    bigint generated always as identity primary key,
  project_id uuid not null references fleet.projects,
  priority   fleet.priority not null,
  need_id    bigint not null references fleet.needs,
  shape_id   bigint not null references fleet.shapes,
  active     boolean not null default false,
  paused     boolean not null default false,
  rank       double precision not null default 0,
  head_key   bigint not null default 0,
  active_at  timestamptz,
  unique (project_id, priority, need_id)
) with (fillfactor = 70);
-- The order of claims. The shape comes first: a claim walks only what fits its node, however much does not.
create index lanes_in_order on fleet.lanes (shape_id, priority, rank, project_id, head_key) where active and not paused;
create index lanes_by_need on fleet.lanes (need_id);
comment on table fleet.lanes is 'Project x priority x need: what a claim looks through, instead of backlogs.';
comment on column fleet.lanes.lane_id is 'Key.';
comment on column fleet.lanes.project_id is 'The project.';
comment on column fleet.lanes.priority is 'The class.';
comment on column fleet.lanes.need_id is 'The need.';
comment on column fleet.lanes.active is 'May have ready jobs. False only while it certainly has none.';
comment on column fleet.lanes.paused is 'Nothing is claimed from it.';
comment on column fleet.lanes.shape_id is 'The shape of its need.';
comment on column fleet.lanes.rank is 'Fair share: the smaller goes first within a class. The project''s, as of the last ranking.';
comment on column fleet.lanes.head_key is 'No ready job of it has a smaller order_key: where a claim begins to look, behind what is dead.';
comment on column fleet.lanes.active_at is 'Since when it is active.';

create table fleet.jobs (
  job_id       uuid primary key,
  project_id   uuid not null,
  kind         text not null,
  name         text,
  priority     fleet.priority not null,
  lane_id      bigint not null,
  order_key    bigint not null,
  model_key    text not null,
  params       jsonb not null,
  inputs       jsonb,
  tags         jsonb,
  run_at       timestamptz,
  start_by     timestamptz,
  timeout_s    integer not null,
  retries      integer not null,
  retries_used integer not null default 0,
  infra_used   integer not null default 0,
  releases     integer not null default 0,
  rungs        integer not null default 0,
  attempts     integer not null default 0,
  exclusive    boolean not null default false,
  preemptible  boolean not null default false,
  webhook      text,
  key_id       uuid,
  trace        text,
  created_at   timestamptz not null,
  outcome      fleet.job_state,
  cause        fleet.cause,
  error        jsonb,
  result       jsonb,
  ended_at     timestamptz,
  erasure_id   uuid,
  failed_at    timestamptz
) with (fillfactor = 45);  -- room on the page for the one update at its end, so that no index is written then
create index jobs_by_project on fleet.jobs (project_id, job_id);
create index jobs_erased on fleet.jobs (erasure_id, job_id) where erasure_id is not null;
-- On nothing that a success changes, not even in the condition: else each success would write every index of the table.
create index jobs_failed on fleet.jobs (project_id, failed_at desc, job_id desc) where failed_at is not null;
comment on table fleet.jobs is 'One row per job until retention ends it. Written at submit and at the end of attempts, never by a claim.';
comment on column fleet.jobs.job_id is 'Key: a time-ordered uuid.';
comment on column fleet.jobs.project_id is 'Its project.';
comment on column fleet.jobs.kind is 'What code runs.';
comment on column fleet.jobs.name is 'For people.';
comment on column fleet.jobs.priority is 'The class.';
comment on column fleet.jobs.lane_id is 'Where it stands, or stood, in ready.';
comment on column fleet.jobs.order_key is 'Age within the lane: microseconds since 1970 at submit; kept over retries.';
comment on column fleet.jobs.model_key is 'The model it uses, or empty.';
comment on column fleet.jobs.params is 'For the kind.';
comment on column fleet.jobs.inputs is 'Files it reads: name to {sha256} or {job, output}.';
comment on column fleet.jobs.tags is 'For people: searchable.';
comment on column fleet.jobs.run_at is 'Not before.';
comment on column fleet.jobs.start_by is 'Started by then, or not at all.';
comment on column fleet.jobs.timeout_s is 'Wall time of one attempt.';
comment on column fleet.jobs.retries is 'How many failures of its own it may retry.';
comment on column fleet.jobs.retries_used is 'How many it has.';
comment on column fleet.jobs.infra_used is 'Retries that infrastructure cost; capped by settings.max_infra_retries.';
comment on column fleet.jobs.releases is 'How often in a row nodes handed it back before it started: from the third time on it waits a while.';
comment on column fleet.jobs.rungs is 'How often it was tried again with more memory, at nobody''s charge.';
comment on column fleet.jobs.attempts is 'Attempts that have ended.';
comment on column fleet.jobs.exclusive is 'Its runner dies before its lease does.';
comment on column fleet.jobs.preemptible is 'In class low, it may be asked to save its state and give way to urgent work.';
comment on column fleet.jobs.webhook is 'Called when it has ended.';
comment on column fleet.jobs.key_id is 'The API key that submitted it.';
comment on column fleet.jobs.trace is 'W3C traceparent of the submission.';
comment on column fleet.jobs.created_at is 'Submitted.';
comment on column fleet.jobs.outcome is 'How it ended; null while it is waiting, ready or running.';
comment on column fleet.jobs.cause is 'Why it did not succeed.';
comment on column fleet.jobs.error is 'Of the last failed attempt: {message, traceback}.';
comment on column fleet.jobs.result is 'The small answer of a success.';
comment on column fleet.jobs.ended_at is 'When it ended.';
comment on column fleet.jobs.failed_at is 'When it ended, if it failed.';
comment on column fleet.jobs.erasure_id is 'The erasure that takes its files and words; it is not run again.';

create table fleet.waiting (
  job_id    uuid primary key,
  waits_for integer not null check (waits_for >= 0),
  run_at    timestamptz not null
);
create index waiting_due on fleet.waiting (run_at) where waits_for = 0;
comment on table fleet.waiting is 'Jobs that wait for other jobs, for a time, or for the end of a backoff.';
comment on column fleet.waiting.job_id is 'The job.';
comment on column fleet.waiting.waits_for is 'How many jobs it still waits for.';
comment on column fleet.waiting.run_at is 'Not before; -infinity if any time will do.';

create table fleet.ready (
  lane_id   bigint not null,
  order_key bigint not null,
  job_id    uuid not null,
  model_key text not null,
  primary key (lane_id, order_key, job_id)
);
comment on table fleet.ready is 'Jobs that could start now. A claim deletes from here.';
comment on column fleet.ready.lane_id is 'The lane.';
comment on column fleet.ready.order_key is 'Age within the lane.';
comment on column fleet.ready.job_id is 'The job.';
comment on column fleet.ready.model_key is 'The model it uses: a warm one may pull it forward.';

create table fleet.leases (
  job_id     uuid primary key,
  token      uuid not null,
  session_id uuid not null,
  node_id    bigint not null,
  project_id uuid not null,
  request_id uuid not null,
  attempt    integer not null,
  devices    integer[] not null,
  vram_mib   integer not null,
  ram_mib    integer not null,
  cpu_milli  integer not null,
  disk_mib   integer not null,
  claimed_at timestamptz not null,
  deadline   timestamptz not null,
  ends_at    timestamptz not null,
  charged    double precision not null,
  capped     boolean not null,
  preemptible boolean not null,
  command    fleet.lease_command,
  unnamed    integer not null default 0,
  claimed_event bigint not null
) with (fillfactor = 70);
create index leases_by_session on fleet.leases (session_id);
comment on table fleet.leases is 'Jobs that are running: one row per attempt, with what is booked for it.';
comment on column fleet.leases.job_id is 'The job: it cannot be leased twice.';
comment on column fleet.leases.token is 'The fence: new and random at every claim; every write about the attempt must name it (I2).';
comment on column fleet.leases.session_id is 'Who runs it.';
comment on column fleet.leases.node_id is 'Where.';
comment on column fleet.leases.project_id is 'Whose it is.';
comment on column fleet.leases.request_id is 'The claim that took it: the same claim again gets the same answer.';
comment on column fleet.leases.attempt is 'Counts from 1; for people, never a fence.';
comment on column fleet.leases.devices is 'Booked devices of the node (idx).';
comment on column fleet.leases.vram_mib is 'Booked on each of them.';
comment on column fleet.leases.ram_mib is 'Booked host memory.';
comment on column fleet.leases.cpu_milli is 'Booked CPU.';
comment on column fleet.leases.disk_mib is 'Booked scratch space.';
comment on column fleet.leases.claimed_at is 'Start of the attempt.';
comment on column fleet.leases.deadline is 'End of its time limit: finds what is stuck, as heartbeats find what is dead.';
comment on column fleet.leases.ends_at is 'When it should be over: by the learned run time, else by its time limit.';
comment on column fleet.leases.charged is 'GiB x seconds its project was charged at the claim; trued up at the settle.';
comment on column fleet.leases.capped is 'Whether it counts in the caps of its project.';
comment on column fleet.leases.preemptible is 'Whether it may be asked to give way to urgent work: class low, and its owner allows it.';
comment on column fleet.leases.command is 'What the next heartbeat asks.';
comment on column fleet.leases.claimed_event is 'Its event claimed, in v_events.';
comment on column fleet.leases.unnamed is 'Heartbeats in a row that did not name it: from two on it is released (I14).';

create table fleet.start_by (
  job_id   uuid primary key,
  start_by timestamptz not null
);
create index start_by_due on fleet.start_by (start_by);
comment on table fleet.start_by is 'Jobs that end unless started in time; gone at that time, and back with one unstarted.';
comment on column fleet.start_by.job_id is 'The job.';
comment on column fleet.start_by.start_by is 'The time.';

create table fleet.dependencies (
  job_id       uuid not null,
  after_job_id uuid not null,
  wants        fleet.job_end not null default 'succeeded',
  satisfied    boolean not null default false,
  primary key (job_id, after_job_id)
);
create index dependencies_by_after on fleet.dependencies (after_job_id);
comment on table fleet.dependencies is 'Which job waits for which.';
comment on column fleet.dependencies.job_id is 'Waits.';
comment on column fleet.dependencies.after_job_id is 'For this one.';
comment on column fleet.dependencies.wants is 'To succeed, to fail (or be cancelled), or to end in any way.';
comment on column fleet.dependencies.satisfied is 'It has.';

create table fleet.progress (
  job_id       uuid primary key,
  token        uuid not null,
  step         bigint,
  total        bigint,
  message      text,
  metrics      jsonb,
  metrics_step bigint,
  log_bytes    bigint not null default 0,
  at           timestamptz not null
) with (fillfactor = 50);
comment on table fleet.progress is 'How far running attempts are; the row goes with the attempt.';
comment on column fleet.progress.job_id is 'The job.';
comment on column fleet.progress.token is 'The attempt.';
comment on column fleet.progress.step is 'Steps done.';
comment on column fleet.progress.total is 'Steps to do, if known.';
comment on column fleet.progress.message is 'For people.';
comment on column fleet.progress.metrics is 'Latest value of each metric.';
comment on column fleet.progress.metrics_step is 'At this step.';
comment on column fleet.progress.log_bytes is 'Log text kept so far.';
comment on column fleet.progress.at is 'When it was said.';

create table fleet.idempotency (
  project_id   uuid not null,
  key          text not null,
  request_hash bytea not null,
  job_ids      uuid[] not null default '{}',
  created_at   timestamptz not null,
  primary key (project_id, key)
);
create index idempotency_by_age on fleet.idempotency (created_at);
comment on table fleet.idempotency is 'Submissions that may be repeated: the first answer again.';
comment on column fleet.idempotency.project_id is 'The project.';
comment on column fleet.idempotency.key is 'The client''s Idempotency-Key.';
comment on column fleet.idempotency.request_hash is 'sha256 of what was submitted.';
comment on column fleet.idempotency.job_ids is 'The answer.';
comment on column fleet.idempotency.created_at is 'Kept for a day.';

create type fleet.submission as (
  kind      text,
  params    jsonb,
  name      text,
  ref       text,
  priority  fleet.priority,
  need      jsonb,
  inputs    jsonb,
  after     jsonb,
  run_at    timestamptz,
  start_by  timestamptz,
  timeout_s bigint,
  retries   bigint,
  exclusive boolean,
  preemptible boolean,
  webhook   text,
  tags      jsonb
);
comment on type fleet.submission is 'One job as its owner states it; queue_schema.shapes.Submission.';
