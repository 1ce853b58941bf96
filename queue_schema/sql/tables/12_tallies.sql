-- Counters that never go down while the database lives, whatever retention drops: what metrics need (v_metrics).
create table fleet.tallies (
  project_id uuid not null,
  kind       text not null,
  priority   fleet.priority not null,
  outcome    text not null,
  cause      text not null,
  attempts   bigint not null,
  primary key (project_id, kind, priority, outcome, cause)
) with (fillfactor = 50);
comment on table fleet.tallies is 'How many attempts have ended, ever: learn adds them up, from what settles append to observations.';
comment on column fleet.tallies.project_id is 'The project.';
comment on column fleet.tallies.kind is 'The kind.';
comment on column fleet.tallies.priority is 'The class.';
comment on column fleet.tallies.outcome is 'succeeded, failed, or released.';
comment on column fleet.tallies.cause is 'Why it failed; empty when it did not.';
comment on column fleet.tallies.attempts is 'So many.';
