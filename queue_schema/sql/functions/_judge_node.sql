-- _judge_node: remember which different jobs failed on a node in a row (I8); a success (_succeed) wipes the slate.
--
-- Reads what _settle has just written of these jobs on the node of p_session.
create function fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamptz)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node   bigint;
  v_failed uuid[];
begin
  select s.node_id into v_node from fleet.sessions as s where s.session_id = p_session;
  v_failed := array(select distinct a.job_id
                      from fleet.jobs as j
                      join fleet.attempts as a on a.job_id = j.job_id and a.attempt = j.attempts
                     where j.job_id = any(p_jobs)
                       and a.ended_at = p_now  -- one partition instead of all
                       and a.node_id = v_node
                       and a.outcome = 'failed'
                       -- Measured near its booking, running out of memory was the job's own doing.
                       and (a.cause in ('user_error', 'timeout', 'infrastructure')
                            or a.cause = 'out_of_memory' and a.peak_mib is null));
  if cardinality(v_failed) > 0 then
    insert into fleet.node_health as h (node_id, failing)
    values (v_node, v_failed)
        on conflict (node_id) do update
       set failing = (select array_agg(distinct f) from unnest(h.failing || excluded.failing) as f)
     where cardinality(h.failing) < 8;
  end if;
end
$$;
