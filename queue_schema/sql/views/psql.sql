-- What a person at psql looks at first; docs/psql.md walks through them.
create view fleet.v_queue as
select p.name as project, l.priority::text as priority, n.kind, nullif(n.model_key, '') as model,
       s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, l.paused, fleet._held(t.halted, k.quarantined, l.paused) as held, r.ready,
       date_trunc('second', fleet.now() - to_timestamp(r.oldest / 1000000.0)) as oldest
  from fleet.lanes as l
  join fleet.projects as p on p.project_id = l.project_id
  join fleet.needs as n on n.need_id = l.need_id
  join fleet.shapes as s on s.shape_id = n.shape_id
  join fleet.kinds as k on k.kind = n.kind
  join fleet.settings as t on t.one
  join (select r.lane_id, count(*) as ready, min(r.order_key) as oldest from fleet.ready as r group by r.lane_id) as r
    on r.lane_id = l.lane_id
 order by l.priority desc, l.rank, r.oldest;
comment on view fleet.v_queue is 'What is ready, by lane, in the order of claims.';

create view fleet.v_waiting as
select j.job_id, p.name as project, j.kind, j.name, w.waits_for, nullif(w.run_at, '-infinity') as run_at,
       array(select d.after_job_id from fleet.dependencies as d where d.job_id = j.job_id and not d.satisfied
              order by d.after_job_id) as after,
       array(select d.wants::text from fleet.dependencies as d where d.job_id = j.job_id and not d.satisfied
              order by d.after_job_id) as wants
  from fleet.waiting as w
  join fleet.jobs as j on j.job_id = w.job_id
  join fleet.projects as p on p.project_id = j.project_id;
comment on view fleet.v_waiting is 'Jobs that wait for jobs or for a time.';

create view fleet.v_running as
select l.job_id, p.name as project, j.kind, j.name, n.node, l.devices, l.vram_mib, l.ram_mib, l.attempt,
       date_trunc('second', fleet.now() - l.claimed_at) as running_for,
       g.step, g.total, g.message, date_trunc('second', l.deadline - fleet.now()) as time_left, l.command::text as command
  from fleet.leases as l
  join fleet.jobs as j on j.job_id = l.job_id
  join fleet.projects as p on p.project_id = j.project_id
  join fleet.nodes as n on n.node_id = l.node_id
  left join fleet.progress as g on g.job_id = l.job_id;
comment on view fleet.v_running is 'What runs, where, for how long, and how far it is.';

create view fleet.v_failures as
select j.failed_at as ended_at, j.job_id, p.name as project, j.kind, j.name, j.cause::text as cause, j.error ->> 'message' as message,
       j.attempts, n.node as last_node
  from fleet.jobs as j
  join fleet.projects as p on p.project_id = j.project_id
  left join lateral (select a.node_id from fleet.attempts as a
                      where a.job_id = j.job_id and a.attempt = j.attempts limit 1) as a on true
  left join fleet.nodes as n on n.node_id = a.node_id
 where j.failed_at is not null;
comment on view fleet.v_failures is 'Jobs that failed, and why; order by ended_at desc.';

create view fleet.v_reaper as
select r.ran_at, r.grace_until, r.alarm_since, r.alarm from fleet.reaper as r;
comment on view fleet.v_reaper is 'When the reaper last ran and why it holds back, if it does.';

create view fleet.v_needs as
select n.need_id, n.project_id, p.name as project, n.kind, nullif(n.model_key, '') as model, nullif(n.size_key, '') as size, d.gpus,
       case when d.gpus = 0 then 'ram' else 'vram' end as memory, n.stated,
       case when d.gpus = 0 then d.ram_mib else d.vram_mib end as declared_mib, n.learned_mib,
       case when d.gpus = 0 then n.raised_ram_mib else n.raised_mib end as raised_mib, n.raised_until,
       s.vram_mib, s.ram_mib, n.runs,
       (select percentile_cont(0.5) within group (order by r.s) from unnest(n.recent_run_s) as r (s)) as run_p50_s,
       (select percentile_cont(0.9) within group (order by r.s) from unnest(n.recent_run_s) as r (s)) as run_p90_s,
       (select max(m.mib) from unnest(n.recent_peak_mib) as m (mib)) as peak_mib
  from fleet.needs as n
  join fleet.projects as p on p.project_id = n.project_id
  join fleet.shapes as d on d.shape_id = n.declared_shape_id
  join fleet.shapes as s on s.shape_id = n.shape_id;
comment on view fleet.v_needs is 'What jobs of a kind, model and size need: declared, learned, raised, booked now, and how long they take.';
