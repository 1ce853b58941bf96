-- _announce: queue the webhooks of jobs that have just ended.
create function fleet._announce(p_jobs uuid[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into fleet.webhook_deliveries (project_id, job_id, url, body, due_at, created_at)
  select j.project_id, j.job_id, j.webhook,
         jsonb_build_object(
           'type', 'job.' || j.outcome::text,
           'timestamp', j.ended_at,
           'data', jsonb_build_object('job_id', j.job_id, 'kind', j.kind, 'name', j.name, 'state', j.outcome,
                                      'cause', j.cause, 'error', j.error ->> 'message', 'tags', j.tags)),
         j.ended_at, j.ended_at
    from fleet.jobs as j
   where j.job_id = any(p_jobs)
     and j.webhook is not null
     and j.outcome is not null
$$;
