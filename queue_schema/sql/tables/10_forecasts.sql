-- When jobs will start and finish: what was said, and how right it was.
create table fleet.forecasts (
  job_id         uuid primary key,
  project_id     uuid not null,
  made_at        timestamptz not null,
  start_p50      timestamptz,
  start_p90      timestamptz,
  finish_p50     timestamptz,
  finish_p90     timestamptz,
  first_at       timestamptz not null,
  first_start_s  double precision,
  first_start_p50 timestamptz,
  first_start_p90 timestamptz,
  first_finish_s double precision,
  first_finish_p90 timestamptz,
  started_at     timestamptz
) with (fillfactor = 50);
comment on table fleet.forecasts is 'The newest forecast of each job that is queued or runs, and its first one, which is judged when it has started and ended.';
comment on column fleet.forecasts.job_id is 'The job.';
comment on column fleet.forecasts.project_id is 'Its project.';
comment on column fleet.forecasts.made_at is 'When the newest was made.';
comment on column fleet.forecasts.start_p50 is 'Even odds to start by then; null: it has started, or nobody can say.';
comment on column fleet.forecasts.start_p90 is 'Nine of ten start by then.';
comment on column fleet.forecasts.finish_p50 is 'Even odds to finish by then.';
comment on column fleet.forecasts.finish_p90 is 'Nine of ten finish by then.';
comment on column fleet.forecasts.first_at is 'When the first was made.';
comment on column fleet.forecasts.first_start_s is 'What the rehearsals said then, in the middle: seconds to its start, before calibration.';
comment on column fleet.forecasts.first_start_p50 is 'What was said then of its start: even odds.';
comment on column fleet.forecasts.first_start_p90 is 'And nine of ten.';
comment on column fleet.forecasts.first_finish_s is 'As first_start_s, of its finish.';
comment on column fleet.forecasts.first_finish_p90 is 'As first_start_p90, of its finish.';
comment on column fleet.forecasts.started_at is 'When it really started: its start has been judged.';

create table fleet.forecast_scores (
  score_id  bigint generated always as identity primary key,
  at        timestamptz not null,
  what      text not null check (what in ('start', 'finish')),
  said_s    double precision not null,
  off       double precision not null,
  held      boolean not null
);
comment on table fleet.forecast_scores is 'How far off the latest few thousand first forecasts were: from these the next ones learn how wide to be.';
comment on column fleet.forecast_scores.score_id is 'Key; the greatest is the latest.';
comment on column fleet.forecast_scores.at is 'When it was known.';
comment on column fleet.forecast_scores.what is 'start or finish.';
comment on column fleet.forecast_scores.said_s is 'Seconds that the rehearsals said, in the middle.';
comment on column fleet.forecast_scores.off is 'Log of (seconds it took + 5) over (seconds said + 5): 0 is right, positive is late.';
comment on column fleet.forecast_scores.held is 'Whether it came by the p90 bound that was told.';
