-- _lost_items: the leases of dead sessions, as items for _settle.
create function fleet._lost_items(p_sessions uuid[])
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'job_id', l.job_id, 'token', l.token, 'cause', 'lost',
           'message', format('node %s went silent', n.node))), '[]')
    from fleet.leases as l
    join fleet.nodes as n on n.node_id = l.node_id
   where l.session_id = any(p_sessions)
$$;
