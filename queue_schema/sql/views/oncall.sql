-- What people on call look at: the brakes, and what stands behind them.
create view fleet.v_fleet as
select s.halted, s.halt_reason,
       coalesce((select array_agg(k.kind order by k.kind) from fleet.kinds as k where k.quarantined), '{}') as quarantined,
       (select count(*)::integer from fleet.lanes as l where l.active and l.paused) as paused_lanes,
       (select count(*)::integer from fleet.v_nodes as n where n.state = 'live') as live_nodes,
       (select count(*)::integer from fleet.leases) as running
  from fleet.settings as s;
comment on view fleet.v_fleet is 'One row: is anything stopped, and how much goes on.';

create view fleet.v_kinds as
select k.kind, k.description, k.quarantined, k.quarantine_reason,
       jsonb_build_object('gpus', k.gpus, 'vram_mib', k.vram_mib, 'cpu_milli', k.cpu_milli, 'ram_mib', k.ram_mib,
                          'disk_mib', k.disk_mib, 'device', k.device) as need,
       k.timeout_s, k.retries,
       (select count(*)::integer
          from fleet.needs as n
          join fleet.lanes as l on l.need_id = n.need_id and l.active
          join fleet.ready as r on r.lane_id = l.lane_id
         where n.kind = k.kind) as ready,
       (select count(*)::integer from fleet.leases as l join fleet.jobs as j on j.job_id = l.job_id
         where j.kind = k.kind) as running
  from fleet.kinds as k;
comment on view fleet.v_kinds is 'What can run, what it needs by default, whether it is quarantined, and how much of it there is.';

create view fleet.v_projects as
select p.project_id, p.name, p.weight, p.trusted_pools, p.paused::text[] as paused, p.created_at
  from fleet.projects as p;
comment on view fleet.v_projects is 'Tenants; paused are the classes from which nothing is claimed.';

create view fleet.v_policies as
select p.cause::text as cause, p.charged, p.retried, p.base_s, p.max_s from fleet.retry_policies as p;
comment on view fleet.v_policies is 'What happens after an attempt failed, by cause.';

create view fleet.v_dead as
select j.failed_at as ended_at, j.job_id, j.project_id, p.name as project, j.kind, j.name, j.cause::text as cause,
       j.error ->> 'message' as message, j.attempts, j.retries, j.retries_used, j.infra_used as infra_retries,
       n.node as last_node
  from fleet.jobs as j
  join fleet.projects as p on p.project_id = j.project_id
  left join lateral (select a.node_id from fleet.attempts as a
                      where a.job_id = j.job_id and a.attempt = j.attempts limit 1) as a on true
  left join fleet.nodes as n on n.node_id = a.node_id
 where j.failed_at is not null
   and j.cause not in ('dependency', 'expired');
comment on view fleet.v_dead is 'Jobs that failed by themselves, with their retries used up; order by ended_at desc.';

create view fleet.v_audit as
select a.audit_id, a.at, a.login, k.prefix as key, p.name as project, a.act, a.said
  from fleet.audit as a
  left join fleet.api_keys as k on k.key_id = a.key_id
  left join fleet.projects as p on p.project_id = k.project_id;
comment on view fleet.v_audit is 'What operators did, and by whose login or key; order by audit_id desc.';
