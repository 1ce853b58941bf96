-- _depend: write down which of the new jobs wait for which, and check the files they read.
--
-- p_refs   {ref: place} of the submission, from _refs
-- Returns  how many jobs each waits for, in the order of p_items
-- Locks    the jobs waited for, SHARE, ascending: a settle of theirs waits for this commit, then resolves
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict
create function fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[], p_refs jsonb)
  returns integer[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bad   record;
  v_edges jsonb;
begin
  -- Every pointer at a job, with where it stands; resolved to an id by ref first, else by its own text.
  select jsonb_agg(jsonb_build_object(
           'place', e.place, 'field', e.field, 'target', e.target, 'wants', e.wants, 'at', r.at,
           'job_id', case when r.at is not null then p_ids[r.at]
                          when e.target ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then e.target::uuid end)
           order by e.place)
    into v_edges
    from (select i.place, format('jobs[%s].after[%s]', i.place - 1, a.place - 1) as field,
                 case jsonb_typeof(a.edge) when 'string' then a.edge #>> '{}' else a.edge ->> 'job' end as target,
                 coalesce(a.edge ->> 'when', 'succeeded') as wants
            from fleet._items(p_items) as i
           cross join lateral jsonb_array_elements(i.after) with ordinality as a (edge, place)
           union all
          select i.place, format('jobs[%s].inputs.%s.job', i.place - 1, n.name), n.input ->> 'job', 'succeeded'
            from fleet._items(p_items) as i
           cross join lateral jsonb_each(i.inputs) as n (name, input)
           where n.input ->> 'job' is not null) as e
   cross join lateral (select (p_refs ->> e.target)::integer as at) as r;

  select e.*
    into v_bad
    from jsonb_to_recordset(v_edges) as e (place bigint, field text, target text, wants text, at bigint, job_id uuid)
   where e.job_id is null or e.at >= e.place or e.wants not in ('succeeded', 'failed', 'ended')
   order by e.place
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_bad.field,
      message = case when v_bad.wants not in ('succeeded', 'failed', 'ended')
                     then format('a job is waited for until it succeeded, failed or ended, not %s', v_bad.wants)
                     when v_bad.at is null
                     then format('%s is neither a job id nor a ref of this submission', coalesce(v_bad.target, 'this'))
                     else format('%s does not stand before the job that waits for it', v_bad.target) end,
      hint = 'Name a job by its id, or by the ref of a job earlier in the same submission; or write '
             '{"job": "id", "when": "failed"}.';
  end if;
  select min(e.field) as field, min(e.target) as target
    into v_bad
    from jsonb_to_recordset(v_edges) as e (place bigint, field text, target text, wants text, job_id uuid)
   group by e.place, e.job_id
  having count(distinct e.wants) > 1
   order by e.place
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_bad.field,
      message = format('%s is waited for in two ways at once', v_bad.target),
      hint = 'Say one; an output of it as an input waits for its success.';
  end if;

  perform 1
    from fleet.jobs as j
   where j.job_id in (select e.job_id from jsonb_to_recordset(v_edges) as e (at bigint, job_id uuid) where e.at is null)
   order by j.job_id
     for share;
  select e.field, e.target, e.wants, j.job_id, j.outcome
    into v_bad
    from jsonb_to_recordset(v_edges) as e (place bigint, field text, target text, wants fleet.job_end, at bigint, job_id uuid)
    left join fleet.jobs as j on j.job_id = e.job_id and j.project_id = p_project
   where e.at is null
     and (j.job_id is null or (j.outcome is not null and fleet._broken(e.wants, j.outcome, j.cause) is not null))
   order by e.place
   limit 1;
  if found and v_bad.job_id is null then
    raise exception using errcode = 'JQ005', column = v_bad.field,
      message = format('there is no job %s in this project', v_bad.target), hint = 'List jobs to find its id.';
  elsif found then
    raise exception using errcode = 'JQ006', column = v_bad.field,
      message = format('job %s has ended as %s: what waits for it %s would never start', v_bad.target, v_bad.outcome,
                       case v_bad.wants when 'failed' then 'to fail' else 'to succeed' end),
      hint = 'Retry that job first.';
  end if;

  select format('jobs[%s].inputs.%s', i.place - 1, n.name) as field, n.input
    into v_bad
    from fleet._items(p_items) as i
   cross join lateral jsonb_each(i.inputs) as n (name, input)
    left join fleet.blobs as b on b.project_id = p_project and b.sha256 = n.input ->> 'sha256' and b.visible
   where (n.input ->> 'sha256' is null) = (n.input ->> 'job' is null)
      or (n.input ->> 'job' is null) <> (n.input ->> 'output' is null)
      or (n.input ->> 'sha256' is not null and b.sha256 is null)
   order by i.place
   limit 1;
  if found then
    if v_bad.input ->> 'sha256' is not null and v_bad.input ->> 'job' is null then
      raise exception using errcode = 'JQ005', column = v_bad.field || '.sha256',
        message = format('there is no file %s in this project', v_bad.input ->> 'sha256'), hint = 'Upload it first.';
    end if;
    raise exception using errcode = 'JQ002', column = v_bad.field, message = 'an input is a file or an output of a job',
      hint = 'Give either sha256, or job and output.';
  end if;

  insert into fleet.dependencies (job_id, after_job_id, wants, satisfied)
  select distinct p_ids[e.place], e.job_id, e.wants, j.outcome is not null
    from jsonb_to_recordset(v_edges) as e (place integer, job_id uuid, wants fleet.job_end)
    left join fleet.jobs as j on j.job_id = e.job_id;
  return array(select count(d.job_id)::integer
                 from unnest(p_ids) with ordinality as i (job_id, place)
                 left join fleet.dependencies as d on d.job_id = i.job_id and not d.satisfied
                group by i.place
                order by i.place);
end
$$;

-- _refs: {ref: place}, so that a pointer is one look-up however many jobs there are.
--
-- Errors   JQ002 bad_request: a ref that stands twice
create function fleet._refs(p_items fleet.submission[])
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bad record;
begin
  select (array_agg(i.place order by i.place))[2] - 1 as at, i.ref
    into v_bad
    from fleet._items(p_items) as i
   where i.ref is not null
   group by i.ref
  having count(*) > 1
   order by 1
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', message = format('two jobs of this submission have the ref %s', v_bad.ref),
      column = format('jobs[%s].ref', v_bad.at), hint = 'A ref names one job.';
  end if;
  return (select coalesce(jsonb_object_agg(i.ref, i.place), '{}') from fleet._items(p_items) as i where i.ref is not null);
end
$$;

-- _absolute_inputs: inputs with the refs of the submission replaced by job ids.
create function fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_refs jsonb)
  returns jsonb
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_object_agg(n.name, case
           when p_refs ? (n.input ->> 'job')
             then jsonb_set(n.input, '{job}', to_jsonb(p_ids[(p_refs ->> (n.input ->> 'job'))::integer]))
           else n.input end)
    from jsonb_each(p_inputs) as n (name, input)
$$;
