-- What the API reads. Also good at psql: one row per thing, names instead of numbers.
create view fleet.v_jobs as
select j.job_id, j.project_id, p.name as project, j.kind, j.name, j.priority::text as priority,
       case when j.outcome is not null then j.outcome::text
            when l.job_id is not null then 'running'
            when w.job_id is not null then 'waiting'
            else 'ready' end as state,
       case when j.outcome is null and l.job_id is null and w.job_id is null
            then fleet._held(t.halted, k.quarantined, x.paused) end as held,
       j.cause::text as cause, j.error, j.params,
       jsonb_build_object('gpus', s.gpus, 'vram_mib', s.vram_mib, 'cpu_milli', s.cpu_milli, 'ram_mib', s.ram_mib,
                          'disk_mib', s.disk_mib, 'device', s.device, 'labels', s.labels) as need,
       coalesce(j.inputs, '{}') as inputs, coalesce(j.tags, '{}') as tags,
       array(select d.after_job_id from fleet.dependencies as d where d.job_id = j.job_id order by d.after_job_id) as after,
       coalesce((select jsonb_agg(jsonb_build_object('job', d.after_job_id, 'when', d.wants, 'satisfied', d.satisfied)
                                  order by d.after_job_id)
                   from fleet.dependencies as d where d.job_id = j.job_id), '[]') as edges,
       coalesce(w.waits_for, 0) as waits_for,
       coalesce(nullif(w.run_at, '-infinity'), j.run_at) as run_at, j.start_by, j.timeout_s, j.retries, j.retries_used,
       j.infra_used as infra_retries,
       coalesce(l.attempt, j.attempts) as attempts,
       j.created_at, coalesce(l.claimed_at, a.started_at) as started_at, j.ended_at,
       coalesce(n.node, an.node) as node, coalesce(l.devices, a.devices) as devices,
       -- A report of log lines alone makes a row too, but is no progress.
       case when num_nonnulls(g.step, g.message, g.metrics) > 0
            then jsonb_build_object('step', g.step, 'total', g.total, 'message', g.message, 'metrics', g.metrics,
                                    'metrics_step', g.metrics_step, 'at', g.at)
            else a.progress end as progress,
       j.result, j.webhook, j.exclusive, j.preemptible, coalesce(l.command = 'cancel', false) as cancel_requested
  from fleet.jobs as j
  join fleet.projects as p on p.project_id = j.project_id
  join fleet.lanes as x on x.lane_id = j.lane_id
  join fleet.needs as e on e.need_id = x.need_id
  join fleet.shapes as s on s.shape_id = e.shape_id
  join fleet.kinds as k on k.kind = j.kind
  join fleet.settings as t on t.one
  left join fleet.leases as l on l.job_id = j.job_id
  left join fleet.nodes as n on n.node_id = l.node_id
  left join fleet.waiting as w on w.job_id = j.job_id
  left join fleet.progress as g on g.job_id = j.job_id
  left join lateral (select a.* from fleet.attempts as a
                      where a.job_id = j.job_id and a.attempt = j.attempts
                      limit 1) as a on l.job_id is null
  left join fleet.nodes as an on an.node_id = a.node_id;
comment on view fleet.v_jobs is 'Every job, with where it is and how far.';

create view fleet.v_artifacts as
select a.job_id, a.project_id, a.name, a.sha256, a.size, a.media_type from fleet.artifacts as a;
comment on view fleet.v_artifacts is 'Outputs of jobs that succeeded.';

create view fleet.v_attempts as
select a.job_id, a.project_id, a.attempt, n.node, a.devices, a.vram_mib, a.started_at, a.ended_at, a.outcome,
       a.cause::text as cause, a.message, a.traceback, a.peak_mib
  from fleet.attempts as a
  join fleet.nodes as n on n.node_id = a.node_id
 union all
select l.job_id, l.project_id, l.attempt, n.node, l.devices, l.vram_mib, l.claimed_at, null, 'running', null, null, null, null
  from fleet.leases as l
  join fleet.nodes as n on n.node_id = l.node_id;
comment on view fleet.v_attempts is 'Every attempt of every job, the running one included.';

create view fleet.v_logs as
select g.log_id, g.job_id, g.project_id, g.attempt, g.at, g.stream, g.text from fleet.logs as g;
comment on view fleet.v_logs is 'What attempts printed; order by log_id.';

create view fleet.v_events as
select e.event_id, e.job_id, e.project_id, e.at, e.event, e.detail from fleet.job_events as e
 union all
-- Before anything else that can happen to a job.
select 1, j.job_id, j.project_id, j.created_at, 'submitted',
       jsonb_build_object('state', case when j.run_at > j.created_at
                                             or exists (select from fleet.dependencies as d where d.job_id = j.job_id)
                                        then 'waiting' else 'ready' end)
  from fleet.jobs as j
 union all
select l.claimed_event, l.job_id, l.project_id, l.claimed_at, 'claimed',
       jsonb_build_object('attempt', l.attempt, 'node', n.node, 'devices', l.devices)
  from fleet.leases as l join fleet.nodes as n on n.node_id = l.node_id
 union all
select a.claimed_event, a.job_id, a.project_id, a.started_at, 'claimed',
       jsonb_build_object('attempt', a.attempt, 'node', n.node, 'devices', a.devices)
  from fleet.attempts as a join fleet.nodes as n on n.node_id = a.node_id
 union all
select a.ended_event, a.job_id, a.project_id, a.ended_at, 'succeeded',
       jsonb_build_object('attempt', a.attempt, 'node', n.node)
  from fleet.attempts as a join fleet.nodes as n on n.node_id = a.node_id
 where a.outcome = 'succeeded';
comment on view fleet.v_events is 'What happened to each job; order by event_id.';

create view fleet.v_blobs as
select b.project_id, b.sha256, b.size, b.media_type, b.created_at from fleet.blobs as b where b.visible;
comment on view fleet.v_blobs is 'Files that may be downloaded.';

create view fleet.v_devices as
select n.node, d.idx, d.kind, d.name, d.uuid, d.total_mib, d.free_mib, d.sampled_at,
       (select coalesce(sum(case when d.idx = any(l.devices) then l.vram_mib else 0 end
                            + case when d.kind = 'ram' then l.ram_mib else 0 end), 0)::integer
          from fleet.leases as l
         where l.session_id = s.session_id) as booked_mib, d.fault, d.fault_since
  from fleet.devices as d
  join fleet.nodes as n on n.node_id = d.node_id
  left join fleet.sessions as s on s.node_id = d.node_id and s.ended_at is null;
comment on view fleet.v_devices is 'GPUs and host memory: total, free in the last sample, booked, and what is wrong with them.';

create view fleet.v_nodes as
select n.node,
       case when s.session_id is null then 'gone'
            when b.beat_at < fleet.now() - make_interval(secs => t.lease_s) then 'silent'
            when n.draining then 'draining'
            else 'live' end as state,
       n.draining, n.facts || n.labels as labels, n.pools, coalesce(s.kinds, '{}') as kinds, s.version, s.slots,
       (select count(*)::integer from fleet.leases as l where l.session_id = s.session_id) as running,
       n.cpu_milli, n.disk_mib, s.joined_at, b.beat_at,
       coalesce((select jsonb_agg(jsonb_build_object('idx', d.idx, 'kind', d.kind, 'name', d.name, 'uuid', d.uuid,
                                                     'total_mib', d.total_mib, 'free_mib', d.free_mib,
                                                     'booked_mib', d.booked_mib, 'fault', d.fault,
                                                     'fault_since', d.fault_since) order by d.idx = -1, d.idx)
                   from fleet.v_devices as d
                  where d.node = n.node), '[]') as devices
  from fleet.nodes as n
 cross join fleet.settings as t
  left join fleet.sessions as s on s.node_id = n.node_id and s.ended_at is null
  left join fleet.session_beats as b on b.session_id = s.session_id;
comment on view fleet.v_nodes is 'Every host that ever joined, with its devices.';
