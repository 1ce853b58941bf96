-- _publish: the outputs of jobs that succeed in this commit become visible (I7); their checkpoints are done with.
create function fleet._publish(p_succeeded uuid[], p_tokens uuid[], p_items jsonb)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from fleet.checkpoints as c where c.job_id = any(p_succeeded);
  delete from fleet.artifacts as a where a.job_id = any(p_succeeded);
  if not p_items @? '$[*].artifacts[*]' then
    return;
  end if;
  with artifact as (
    select j.job_id, j.project_id, a.name, a.sha256, a.size, a.media_type
      from jsonb_to_recordset(p_items) as i (job_id uuid, token uuid, artifacts jsonb)
      join fleet.jobs as j on j.job_id = i.job_id
     cross join lateral jsonb_to_recordset(i.artifacts) as a (name text, sha256 text, size bigint, media_type text)
     where i.job_id = any(p_succeeded)
       and i.token = any(p_tokens)  -- another item may name the same job with a stale one
  ),
  stored as (
    insert into fleet.blobs (project_id, sha256, size, media_type, visible)
    select distinct on (project_id, sha256) a.project_id, a.sha256, a.size, a.media_type, true
      from artifact as a
     order by project_id, sha256
        on conflict (project_id, sha256) do update set visible = true, leaving_at = null
     where not blobs.visible and blobs.removing_until is null
  )
  insert into fleet.artifacts (job_id, name, project_id, sha256, size, media_type)
  select a.job_id, a.name, a.project_id, a.sha256, a.size, a.media_type
    from artifact as a
      on conflict (job_id, name) do nothing;
end
$$;
