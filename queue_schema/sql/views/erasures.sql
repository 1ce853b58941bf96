create view fleet.v_erasures as
select e.erasure_id, e.project_id, p.name as project, e.asked, e.asked_at, e.state, e.jobs, e.cancelled, e.schedules, e.files,
       e.bytes, e.shared, e.digest, e.wiped_at, e.stored_at, e.done_at,
       coalesce((select jsonb_agg(jsonb_build_object('node', n.node, 'confirmed_at', m.confirmed_at, 'dropped', m.dropped,
                                                     'waived', m.waived) order by m.confirmed_at nulls first, n.node)
                   from fleet.erasure_nodes as m
                   join fleet.nodes as n on n.node_id = m.node_id
                  where m.erasure_id = e.erasure_id), '[]') as nodes
  from fleet.erasures as e
  join fleet.projects as p on p.project_id = e.project_id;
comment on view fleet.v_erasures is 'Receipts of erasures: what went, where it is not gone yet.';
