-- Who has how much of the fleet, and what is kept free for whom.
create view fleet.v_shares as
select p.name as project, p.weight, round((p.weight / sum(p.weight) over ())::numeric, 3) as due,
       round((s.usage / nullif(sum(s.usage) over (), 0))::numeric, 3) as had, c.max_running, c.max_vram_mib,
       coalesce(l.running, 0) as running, coalesce(l.vram_mib, 0) as vram_mib
  from fleet.projects as p
  left join fleet.shares as s on s.project_id = p.project_id
  left join fleet.caps as c on c.project_id = p.project_id
  left join (select l.project_id, count(*) as running, sum(cardinality(l.devices) * l.vram_mib::bigint) as vram_mib
               from fleet.leases as l group by l.project_id) as l on l.project_id = p.project_id;
comment on view fleet.v_shares is 'Of each project: what share it is due if all had work, what it had lately, its caps, and what it has now.';

create view fleet.v_places as
select n.node, r.job_id, p.name as project, j.kind, j.priority::text as priority, r.begins_at, r.made_at
  from fleet.reservations as r
  join fleet.nodes as n on n.node_id = r.node_id
  join fleet.jobs as j on j.job_id = r.job_id
  join fleet.projects as p on p.project_id = j.project_id;
comment on view fleet.v_places is 'Nodes that keep a place for a job no node has room for, and from when.';
