-- report_v1: progress, metrics and log lines of running attempts.
--
-- Caller   fleet_agent
-- Returns  [token] of those that are no leases of this session any more; their news is dropped
-- Locks    rows of progress
-- Errors   JQ003 session_lost
create function fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := fleet.now();
begin
  perform set_config('synchronous_commit', 'off', true);
  perform fleet._session(p_session, p_secret);

  -- A settle waits for this, or has been and the lease is gone: no news outlives its attempt.
  perform 1
    from fleet.leases as l
   where l.session_id = p_session
     and l.token in (select r.token from jsonb_to_recordset(p_reports) as r (token uuid))
   order by l.job_id
     for key share;

  with news as (
    select distinct on (r.job_id) r.job_id, r.token, r.step, r.total, r.message, r.metrics, r.metrics_step
      from rows from (jsonb_to_recordset(p_reports) as (
             job_id uuid, token uuid, step bigint, total bigint, message text, metrics jsonb, metrics_step bigint))
           with ordinality as r (job_id, token, step, total, message, metrics, metrics_step, place)
      join fleet.leases as l on l.job_id = r.job_id and l.token = r.token and l.session_id = p_session
     order by r.job_id, r.place desc
  )
  insert into fleet.progress as g (job_id, token, step, total, message, metrics, metrics_step, at)
  select n.job_id, n.token, n.step, n.total, n.message, n.metrics, n.metrics_step, v_now
    from news as n
   order by n.job_id
      on conflict (job_id) do update
     set token = excluded.token,
         step = coalesce(excluded.step, case when g.token = excluded.token then g.step end),
         total = coalesce(excluded.total, case when g.token = excluded.token then g.total end),
         message = coalesce(excluded.message, case when g.token = excluded.token then g.message end),
         metrics = case when g.token = excluded.token
                        then coalesce(g.metrics || excluded.metrics, excluded.metrics, g.metrics)
                        else excluded.metrics end,
         metrics_step = coalesce(excluded.metrics_step, case when g.token = excluded.token then g.metrics_step end),
         log_bytes = case when g.token = excluded.token then g.log_bytes else 0 end,
         at = excluded.at;

  with chunk as (
    select l.job_id, l.project_id, l.attempt, c.stream, c.text, r.place, c.place as line, g.log_bytes, s.log_bytes as most,
           sum(octet_length(c.text)) over (partition by l.job_id order by r.place, c.place) as so_far
      from rows from (jsonb_to_recordset(p_reports) as (job_id uuid, token uuid, logs jsonb))
           with ordinality as r (job_id, token, logs, place)
      join fleet.leases as l on l.job_id = r.job_id and l.token = r.token and l.session_id = p_session
      join fleet.progress as g on g.job_id = l.job_id
      join fleet.settings as s on s.one
     cross join lateral rows from (jsonb_to_recordset(r.logs) as (stream text, text text))
           with ordinality as c (stream, text, place)
  ),
  kept as (
    insert into fleet.logs (job_id, project_id, attempt, at, stream, text)
    select c.job_id, c.project_id, c.attempt, v_now,
           case when c.log_bytes + c.so_far <= c.most then c.stream else 'agent' end,
           case when c.log_bytes + c.so_far <= c.most then c.text
                else format(E'[the log ends here: an attempt keeps %s bytes]\n', c.most) end
      from chunk as c
     where c.log_bytes + c.so_far - octet_length(c.text) <= c.most
     order by c.place, c.line
  )
  update fleet.progress as g
     set log_bytes = g.log_bytes + n.bytes
    from (select c.job_id, sum(octet_length(c.text)) as bytes from chunk as c group by c.job_id) as n
   where g.job_id = n.job_id;

  return coalesce((select jsonb_agg(r.token)
                     from jsonb_to_recordset(p_reports) as r (job_id uuid, token uuid)
                    where not exists (select from fleet.leases as l
                                       where l.job_id = r.job_id and l.token = r.token and l.session_id = p_session)), '[]');
end
$$;
