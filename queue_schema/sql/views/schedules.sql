-- Work that comes by the clock.
create view fleet.v_schedules as
select s.schedule_id, s.project_id, p.name as project, s.name, s.cron, s.timezone, s.enabled, s.missed,
       case when s.enabled then s.next_tick end as next_tick, s.last_tick, s.last_outcome, s.last_job_ids, s.last_error,
       s.jobs, s.created_at
  from fleet.schedules as s
  join fleet.projects as p on p.project_id = s.project_id;
comment on view fleet.v_schedules is 'What is submitted by the clock, and when next.';
