-- What the whole fleet tells a monitoring system: one row per point, read in one snapshot by GET /metrics. Names and labels are
-- explained in api/metrics.py. Only what is hot and small is read: lanes, ready, waiting, leases, devices,
-- sessions, tallies; jobs by key alone.
create view fleet.v_metrics (metric, labels, value) as
with lane as materialized (
  select p.name as project, n.kind, l.priority::text as priority,
         coalesce(fleet._held(t.halted, k.quarantined, l.paused), 'no') as held, r.depth, r.oldest
    from fleet.lanes as l
    join fleet.projects as p on p.project_id = l.project_id
    join fleet.needs as n on n.need_id = l.need_id
    join fleet.kinds as k on k.kind = n.kind
    join fleet.settings as t on t.one
   cross join lateral (select count(*) as depth, min(r.order_key) as oldest
                         from fleet.ready as r
                        where r.lane_id = l.lane_id and r.order_key >= l.head_key) as r
   where l.active
),
device as materialized (
  select d.*, d.kind = 'ram' as is_ram, n.node, s.session_id
    from fleet.devices as d
    join fleet.nodes as n on n.node_id = d.node_id
    join fleet.sessions as s on s.node_id = d.node_id and s.ended_at is null
),
-- A counter must be there, at 0, before it counts: the step from nothing to ten is none that increase() sees.
tally as materialized (
  select c.project_id, c.kind, c.priority, o.outcome, o.cause
    from (select distinct l.project_id, n.kind, l.priority from fleet.lanes as l join fleet.needs as n on n.need_id = l.need_id) as c
   cross join (values ('succeeded', ''), ('released', ''), ('failed', 'user_error'), ('failed', 'out_of_memory'),
                      ('failed', 'timeout'), ('failed', 'infrastructure'), ('failed', 'lost')) as o (outcome, cause)
   union
  select y.project_id, y.kind, y.priority, y.outcome, y.cause from fleet.tallies as y
),
booked as materialized (
  select b.node_id, x.idx, x.mib from fleet.bookings as b cross join lateral unnest(b.idx, b.mib) as x (idx, mib)
)
select 'queue.depth', jsonb_build_object('project', a.project, 'kind', a.kind, 'priority', a.priority, 'held', a.held),
       sum(a.depth)::double precision
  from lane as a
 group by a.project, a.kind, a.priority, a.held
having sum(a.depth) > 0
 union all
select 'queue.oldest_age', jsonb_build_object('project', a.project, 'kind', a.kind, 'priority', a.priority, 'held', a.held),
       greatest(0, extract(epoch from fleet.now()) - min(a.oldest) / 1000000.0)::double precision
  from lane as a
 group by a.project, a.kind, a.priority, a.held
having sum(a.depth) > 0
 union all
select 'jobs.waiting', '{}', count(*)::double precision from fleet.waiting as w
 union all
select 'jobs.running', jsonb_build_object('project', p.name, 'kind', j.kind, 'priority', j.priority), count(*)::double precision
  from fleet.leases as l
  join fleet.projects as p on p.project_id = l.project_id
 -- With a limit, so that it is looked up by key: a join may be planned to read all jobs.
 cross join lateral (select j.kind, j.priority from fleet.jobs as j where j.job_id = l.job_id limit 1) as j
 group by p.name, j.kind, j.priority
 union all
select 'nodes', jsonb_build_object('state', s.state), count(n.node)::double precision
  from unnest(array['live', 'draining', 'silent', 'gone']) as s (state)
  left join fleet.v_nodes as n on n.state = s.state
 group by s.state
 union all
select 'device.memory.limit', jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind), d.total_mib * 1048576.0
  from device as d
 union all
select 'device.memory.free', jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind), d.free_mib * 1048576.0
  from device as d
 where d.free_mib is not null
 union all
select 'device.memory.booked', jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind), coalesce(b.mib, 0) * 1048576.0
  from device as d
  left join booked as b on b.node_id = d.node_id and b.idx = d.idx
 union all
select 'device.fault.age',
       jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind,
                          'reason', case when d.fault like 'disk full%' then 'disk_full'
                                         when d.fault like 'its owner%' then 'owner'
                                         else 'sick' end),
       greatest(0, extract(epoch from fleet.now() - d.fault_since))::double precision
  from device as d
 where d.fault is not null
 union all
select 'attempts', jsonb_build_object('project', p.name, 'kind', t.kind, 'priority', t.priority, 'outcome', t.outcome, 'cause', t.cause),
       coalesce(y.attempts, 0)::double precision
  from tally as t
  join fleet.projects as p on p.project_id = t.project_id
  left join fleet.tallies as y
    on (y.project_id, y.kind, y.priority, y.outcome, y.cause) = (t.project_id, t.kind, t.priority, t.outcome, t.cause)
 union all
select 'halted', '{}', s.halted::integer::double precision from fleet.settings as s
 union all
select 'kinds.quarantined', '{}', count(*)::double precision from fleet.kinds as k where k.quarantined
 union all
select 'lanes.paused', '{}', count(*)::double precision from fleet.lanes as l where l.active and l.paused
 union all
-- One that never ran is as old as the fleet's first project.
select 'reaper.age', '{}', extract(epoch from fleet.now() - x.since)::double precision
  from fleet.reaper as r
 cross join lateral (select coalesce(r.ran_at, (select min(p.created_at) from fleet.projects as p)) as since) as x
 where x.since is not null
 union all
select 'erasures.oldest.age', '{}', coalesce(extract(epoch from fleet.now() - min(e.asked_at)), 0)::double precision
  from fleet.erasures as e where e.state <> 'done'
 union all
select 'reaper.alarm', '{}', (r.alarm_since is not null)::integer::double precision from fleet.reaper as r
 union all
select 'forecast.coverage.ratio', jsonb_build_object('what', c.what), c.p90_held::double precision from fleet.v_calibration as c
 union all
select 'forecast.judged', jsonb_build_object('what', c.what), c.judged::double precision from fleet.v_calibration as c
 union all
select 'forecast.error.ratio', jsonb_build_object('what', c.what), c.took_over_said::double precision from fleet.v_calibration as c
 union all
select 'partitions.ahead', jsonb_build_object('table', t.name),
       coalesce(max(to_date(right(c.relname, 8), 'YYYYMMDD')) - (fleet.now() at time zone 'UTC')::date, -1)::double precision
  from unnest(array['attempts', 'job_events', 'logs']) as t (name)
  left join pg_catalog.pg_inherits as i on i.inhparent = ('fleet.' || t.name)::regclass
  left join pg_catalog.pg_class as c on c.oid = i.inhrelid and c.relname ~ '_[0-9]{8}$'
 group by t.name
 union all
-- Of transactions, for when a snapshot was taken is nobody's to see but its owner's.
select 'database.snapshot.age', jsonb_build_object('holder', h.holder), coalesce(max(age(h.xmin)), 0)::double precision
  from (select 'session' as holder, a.backend_xmin as xmin from pg_catalog.pg_stat_activity as a where a.pid <> pg_backend_pid()
         union all
        select 'slot', x.xmin from pg_catalog.pg_replication_slots as r cross join lateral (values (r.xmin), (r.catalog_xmin)) as x (xmin)
         union all
        select 'prepared', x.transaction from pg_catalog.pg_prepared_xacts as x
         union all
        select u.holder, null from unnest(array['session', 'slot', 'prepared']) as u (holder)) as h
 group by h.holder;
comment on view fleet.v_metrics is 'The fleet in numbers, for GET /metrics: one row per point.';
