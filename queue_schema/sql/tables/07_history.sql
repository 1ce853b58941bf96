-- Append-only, partitioned by day: retention drops partitions. Rows land in the default partition when nobody
-- made the day's (the scheduler makes them 14 days ahead).
-- What happened to a job is told in an order that a watcher can go on from (v_events): by the clock, read when the job is
-- locked. The step from a claim to its end costs no row of its own: attempts know both.
create function fleet.event_id()
  returns bigint
  language sql
  volatile
  return (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint;
comment on function fleet.event_id() is 'The next event of a job: microseconds since 1970.';

create table fleet.attempts (
  job_id     uuid not null,
  project_id uuid not null,
  attempt    integer not null,
  token      uuid not null,
  session_id uuid not null,
  node_id    bigint not null,
  devices    integer[] not null,
  vram_mib   integer not null,
  ram_mib    integer not null,
  started_at timestamptz not null,
  ended_at   timestamptz not null,
  outcome    text not null,  -- no checks: our functions alone write it, and each settle would compile each check anew
  settled_by text not null,
  cause      fleet.cause,
  message    text,
  traceback  text,
  peak_mib   integer,
  progress   jsonb,
  claimed_event bigint not null,
  ended_event   bigint not null
) partition by range (ended_at);
create index attempts_by_job on fleet.attempts (job_id, attempt);
create table fleet.attempts_default partition of fleet.attempts default;
comment on table fleet.attempts is 'Every attempt that has ended.';
comment on column fleet.attempts.job_id is 'The job.';
comment on column fleet.attempts.project_id is 'Its project.';
comment on column fleet.attempts.attempt is 'Counts from 1.';
comment on column fleet.attempts.token is 'Its fence, by which a second settle is recognised.';
comment on column fleet.attempts.session_id is 'Who ran it.';
comment on column fleet.attempts.node_id is 'Where.';
comment on column fleet.attempts.devices is 'Booked devices of the node (idx).';
comment on column fleet.attempts.vram_mib is 'Booked on each of them.';
comment on column fleet.attempts.ram_mib is 'Booked host memory.';
comment on column fleet.attempts.started_at is 'Claimed.';
comment on column fleet.attempts.ended_at is 'Settled.';
comment on column fleet.attempts.outcome is 'succeeded, failed, or released (handed back without blame).';
comment on column fleet.attempts.settled_by is 'The agent itself, or the reaper.';
comment on column fleet.attempts.cause is 'Why it failed.';
comment on column fleet.attempts.message is 'For people.';
comment on column fleet.attempts.traceback is 'Where the code failed.';
comment on column fleet.attempts.peak_mib is 'Largest memory in use, or asked for, on one device; null: not measured.';
comment on column fleet.attempts.progress is 'How far it got.';
comment on column fleet.attempts.claimed_event is 'Its event claimed, in v_events.';
comment on column fleet.attempts.ended_event is 'Its event succeeded, in v_events; other ends are told in job_events, with what they lead to.';

create table fleet.job_events (
  event_id   bigint not null default fleet.event_id(),
  job_id     uuid not null,
  project_id uuid not null,
  at         timestamptz not null,
  event      text not null,
  detail     jsonb
) partition by range (at);
create index job_events_by_job on fleet.job_events (job_id, event_id);
create table fleet.job_events_default partition of fleet.job_events default;
comment on table fleet.job_events is 'What happened to each job, but for what jobs, leases and attempts tell by themselves: v_events has all.';
comment on column fleet.job_events.event_id is 'Grows; within a job in the order of commits.';
comment on column fleet.job_events.job_id is 'The job.';
comment on column fleet.job_events.project_id is 'Its project.';
comment on column fleet.job_events.at is 'When.';
comment on column fleet.job_events.event is 'submitted (again), ready, amended, released, lost, retrying, raised, checkpoint, cancelling, preempting, failed, cancelled.';
comment on column fleet.job_events.detail is 'Facts about it.';

create sequence fleet.log_id;
create table fleet.logs (
  log_id     bigint not null default nextval('fleet.log_id'),
  job_id     uuid not null,
  project_id uuid not null,
  attempt    integer not null,
  at         timestamptz not null,
  stream     text not null,
  text       text not null
) partition by range (at);
create index logs_by_job on fleet.logs (job_id, log_id);
create table fleet.logs_default partition of fleet.logs default;
comment on table fleet.logs is 'What attempts printed, in chunks of whole lines.';
comment on column fleet.logs.log_id is 'Grows; within an attempt in order.';
comment on column fleet.logs.job_id is 'The job.';
comment on column fleet.logs.project_id is 'Its project.';
comment on column fleet.logs.attempt is 'The attempt.';
comment on column fleet.logs.at is 'When it arrived.';
comment on column fleet.logs.stream is 'stdout, stderr, or agent.';
comment on column fleet.logs.text is 'Whole lines.';
