-- Work that comes by the clock. The cron arithmetic is queue_schema.cron; here is what was said and what comes next.
create table fleet.schedules (
  schedule_id  uuid primary key default gen_random_uuid(),
  project_id   uuid not null references fleet.projects,
  name         text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
  cron         text not null check (length(cron) <= 200),
  timezone     text not null check (length(timezone) <= 64),
  jobs         jsonb not null,
  missed       text not null check (missed in ('run_once', 'skip')),
  enabled      boolean not null,
  next_tick    timestamptz not null,
  last_tick    timestamptz,
  last_outcome text check (last_outcome in ('submitted', 'skipped', 'refused')),
  last_job_ids uuid[] not null default '{}',
  last_error   jsonb,
  key_id       uuid,
  created_at   timestamptz not null,
  unique (project_id, name)
);
create index schedules_due on fleet.schedules (next_tick) where enabled;
comment on table fleet.schedules is 'Submissions that are made again and again, by cron.';
comment on column fleet.schedules.schedule_id is 'Key.';
comment on column fleet.schedules.project_id is 'The project it submits for.';
comment on column fleet.schedules.name is 'Its name within the project; its jobs carry it as the tag `schedule`.';
comment on column fleet.schedules.cron is 'Minute, hour, day of month, month, day of week.';
comment on column fleet.schedules.timezone is 'In which that is meant, for example Europe/Berlin.';
comment on column fleet.schedules.jobs is 'What is submitted at each tick: a list of submissions.';
comment on column fleet.schedules.missed is 'After an absence: run_once submits once for all missed ticks, skip not at all.';
comment on column fleet.schedules.enabled is 'False while it is paused.';
comment on column fleet.schedules.next_tick is 'When it is due; a tick is made by whoever moves this on.';
comment on column fleet.schedules.last_tick is 'The last one that was due.';
comment on column fleet.schedules.last_outcome is 'What became of it.';
comment on column fleet.schedules.last_job_ids is 'What was submitted last.';
comment on column fleet.schedules.last_error is 'Why the last tick was refused or the schedule paused itself: {message, field, fix}.';
comment on column fleet.schedules.key_id is 'The API key that made it, and submits.';
comment on column fleet.schedules.created_at is 'When it was made.';
