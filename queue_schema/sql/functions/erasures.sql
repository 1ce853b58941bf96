-- Erasure: what is asked for is found and hidden, the jobs that would use it are ended, what they said is wiped, and only then
-- are files removed: from the store by the API, from caches and memory by every node, each of which says so.
--
-- erase_v1: have files, and all that jobs made of them, gone for good.
--
-- Caller   fleet_api
-- p_what   one of {files: [sha256]}: these and what was made of them; {tags: {name: text}}: what jobs with these tags made,
--          what was made of that, and the files which only they read; {everything: true}: all that the project has
-- Returns  {erasure_id}: the same as before while one like it is under way
-- Locks    rows of jobs, ascending, as many as are looked through at once; their blobs
-- Errors   JQ002 bad_request, JQ005 not_found
--
-- Hidden at once, as far as some rounds find it; more rounds are the scheduler's.
create function fleet.erase_v1(p_project uuid, p_what jsonb, p_key uuid default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_files   text[];
  v_missing text;
  v_asked   jsonb;
  v_erasure fleet.erasures;
begin
  perform fleet._durably();
  if (select count(*) from jsonb_each(p_what) as w (name, value) where w.value <> 'null') <> 1
     or not p_what ?| array['files', 'tags', 'everything'] then
    raise exception using errcode = 'JQ002', message = 'say what is to be erased: files, tags, or everything',
      hint = 'Give one of the three.';
  end if;
  if p_what -> 'files' <> 'null' then
    v_files := array(select distinct f from jsonb_array_elements_text(p_what -> 'files') as f order by f);
    if cardinality(v_files) not between 1 and 10000 then
      raise exception using errcode = 'JQ002', message = format('1 to 10,000 files at once, not %s', cardinality(v_files)),
        column = 'files', hint = 'Ask in several parts.';
    end if;
    v_asked := jsonb_build_object('files', to_jsonb(v_files));
  elsif p_what -> 'tags' <> 'null' then
    if p_what -> 'tags' = '{}' then
      raise exception using errcode = 'JQ002', message = 'no tags are every job''s', column = 'tags',
        hint = 'Name at least one tag, or ask for everything.';
    end if;
    v_asked := jsonb_build_object('tags', p_what -> 'tags');
  elsif p_what -> 'everything' = 'true' then
    v_asked := '{"everything": true}';
  else
    raise exception using errcode = 'JQ002', message = 'everything is true, or left out', column = 'everything',
      hint = 'Send true.';
  end if;

  select e.* into v_erasure from fleet.erasures as e
   where e.project_id = p_project and e.state <> 'done' and md5(e.asked::text) = md5(v_asked::text);
  if found then
    return jsonb_build_object('erasure_id', v_erasure.erasure_id);
  end if;
  select f into v_missing from unnest(v_files) as f
   where not exists (select from fleet.blobs as b where b.project_id = p_project and b.sha256 = f and b.leaving_at is null) limit 1;
  if found then
    raise exception using errcode = 'JQ005', message = format('this project has no file %s', v_missing), column = 'files',
      hint = 'It may be gone already; leave it out.';
  end if;
  if v_asked ? 'tags' and not exists (select from fleet.jobs as j where j.project_id = p_project and j.erasure_id is null
                                                                    and j.tags @> (v_asked -> 'tags')) then
    raise exception using errcode = 'JQ005', message = 'no job of this project has these tags', column = 'tags',
      hint = 'List jobs by tag to see what there is; what is erased has no tags any more.';
  end if;

  insert into fleet.erasures (project_id, key_id, asked, asked_at) values (p_project, p_key, v_asked, fleet.now())
      on conflict (project_id, md5(asked::text)) where state <> 'done' do nothing
  returning * into v_erasure;
  if not found then  -- the same request came twice, and the other one was quicker
    return fleet.erase_v1(p_project, p_what, p_key);
  end if;
  insert into fleet.erasure_files (erasure_id, project_id, sha256, size)
  select v_erasure.erasure_id, p_project, b.sha256, b.size
    from fleet.blobs as b where b.project_id = p_project and b.sha256 = any(v_files);
  update fleet.blobs as b set visible = false, leaving_at = 'infinity'
   where b.project_id = p_project and b.sha256 = any(v_files) and b.leaving_at is null;
  for v_round in 1 .. 8 loop  -- each goes a job further down from what is asked for
    exit when fleet._find_erased(v_erasure, 1000) = 0 or clock_timestamp() > statement_timestamp() + interval '3 s';
  end loop;
  return jsonb_build_object('erasure_id', v_erasure.erasure_id);
end
$$;

-- _find_erased: one round of looking for what an erasure means; what is found is marked and hidden.
--
-- Returns  how much was new: when nothing is, all is found
--
-- A job is meant if it is asked for, or reads what is to go. A file is meant if it is asked for, or such a job made it, or only
-- jobs asked for read it. What a client had stored before such a job made the same, or what a job made as well that is not
-- meant, stays: the same picture may be somebody else's. So does what was stored again since.
create function fleet._find_erased(p_erasure fleet.erasures, p_limit integer)
  returns bigint
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id    uuid := p_erasure.erasure_id;
  v_tags  jsonb := p_erasure.asked -> 'tags';
  v_all   boolean := p_erasure.asked ? 'everything';
  v_jobs  uuid[];
  v_files bigint;
begin
  v_jobs := array(
    select j.job_id
      from fleet.jobs as j
     where j.project_id = p_erasure.project_id
       and j.erasure_id is null
       and ((j.created_at <= p_erasure.asked_at and (v_all or j.tags @> v_tags))
            or exists (select from jsonb_each(nullif(j.inputs, 'null')) as i (name, file)
                        where i.file ->> 'sha256' in (select f.sha256 from fleet.erasure_files as f
                                                       where f.erasure_id = v_id
                                                         and not exists (select from fleet.blobs as b
                                                                          where (b.project_id, b.sha256) = (f.project_id, f.sha256)
                                                                            and b.visible))
                           or (i.file ->> 'job')::uuid in (select x.job_id from fleet.jobs as x where x.erasure_id = v_id)))
     order by j.job_id
     limit p_limit
       for no key update);
  update fleet.jobs as j set erasure_id = v_id where j.job_id = any(v_jobs);

  with made (sha256) as (
    select a.sha256 from fleet.jobs as j join fleet.artifacts as a using (job_id) where j.erasure_id = v_id
     union
    select c.sha256 from fleet.jobs as j join fleet.checkpoints as c using (job_id) where j.erasure_id = v_id
     union
    select b.sha256 from fleet.jobs as j join fleet.blobs as b on b.made_by = j.job_id
     where j.erasure_id = v_id and b.project_id = p_erasure.project_id
  ),
  reader (inputs, asked, meant) as (
    select j.inputs, (j.created_at <= p_erasure.asked_at and j.tags @> v_tags) is true, j.erasure_id is not distinct from v_id
      from fleet.jobs as j
     where v_tags is not null and j.project_id = p_erasure.project_id
     union all
    select e.job -> 'inputs', (s.created_at <= p_erasure.asked_at and e.job -> 'tags' @> v_tags) is true, false
      from fleet.schedules as s
     cross join lateral jsonb_array_elements(s.jobs) as e (job)
     where v_tags is not null and s.project_id = p_erasure.project_id
  ),
  read (sha256, alone) as (
    select i.sha256, bool_and(r.asked or r.meant)
      from reader as r
     cross join lateral fleet._named_files(r.inputs) as i
     group by 1
    having bool_or(r.asked)
  ),
  meant as (
    select b.project_id, b.sha256, b.size
      from fleet.blobs as b
     where b.project_id = p_erasure.project_id
       and ((v_all and b.created_at <= p_erasure.asked_at)
            or (((b.made_by is not null and b.sha256 in (select m.sha256 from made as m))
                 or (b.created_at <= p_erasure.asked_at and b.sha256 in (select r.sha256 from read as r where r.alone)))
                and not exists (select from fleet.artifacts as a join fleet.jobs as j on j.job_id = a.job_id
                                 where a.project_id = b.project_id and a.sha256 = b.sha256
                                   and j.erasure_id is distinct from v_id)))
  )
  insert into fleet.erasure_files (erasure_id, project_id, sha256, size)
  select v_id, m.project_id, m.sha256, m.size from meant as m
      on conflict do nothing;
  get diagnostics v_files = row_count;
  delete from fleet.artifacts as a using fleet.jobs as j where j.erasure_id = v_id and a.job_id = j.job_id;

  -- What a client has stored again since is new, and stays.
  update fleet.blobs as b
     set visible = false, leaving_at = 'infinity'
    from fleet.erasure_files as f
   where f.erasure_id = v_id
     and (b.project_id, b.sha256) = (f.project_id, f.sha256)
     and b.leaving_at is null
     and (b.created_at <= p_erasure.asked_at or b.made_by in (select j.job_id from fleet.jobs as j where j.erasure_id = v_id));
  return cardinality(v_jobs) + v_files;
end
$$;

-- remove_blobs_v1: take some files whose time has come, to remove them from the store; blobs_removed_v1 follows.
--
-- Caller   fleet_api
-- Returns  [{project_id, sha256}]; who does not come back leaves them to others after ten minutes
-- Locks    their rows, skipping those that somebody has
create function fleet.remove_blobs_v1(p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_taken jsonb;
begin
  perform fleet._durably();
  with going as (
    select b.project_id, b.sha256 from fleet.blobs as b
     where b.leaving_at <= fleet.now() and (b.removing_until is null or b.removing_until < fleet.now())
     order by b.leaving_at limit p_limit for update skip locked
  ),
  taken as (
    update fleet.blobs as b set removing_until = fleet.now() + interval '10 minutes'
      from going as g where (b.project_id, b.sha256) = (g.project_id, g.sha256)
    returning b.project_id, b.sha256
  )
  select coalesce(jsonb_agg(to_jsonb(t)), '[]') into v_taken from taken as t;
  return v_taken;
end
$$;

-- blobs_removed_v1: the store has none of these any more.
--
-- Caller   fleet_api
-- p_blobs  as remove_blobs_v1 gave them
-- Returns  how many rows went
create function fleet.blobs_removed_v1(p_blobs jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_gone integer;
begin
  perform fleet._durably();
  delete from fleet.blobs as b
   using jsonb_to_recordset(p_blobs) as g (project_id uuid, sha256 text)
   where (b.project_id, b.sha256) = (g.project_id, g.sha256) and b.removing_until is not null;
  get diagnostics v_gone = row_count;
  return to_jsonb(v_gone);
end
$$;

-- erasures_v1: what the calling node is to drop, the oldest first.
--
-- Caller   fleet_agent
-- Returns  [{erasure_id, project_id, everything, files: [sha256]}]: with everything, all of the project, and files is empty
-- Errors   JQ003 session_lost
create function fleet.erasures_v1(p_session uuid, p_secret text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node bigint := (fleet._session(p_session, p_secret)).node_id;
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
             'erasure_id', e.erasure_id, 'project_id', e.project_id, 'everything', e.asked ? 'everything',
             'files', case when e.asked ? 'everything' then '[]'
                           else (select coalesce(jsonb_agg(f.sha256), '[]')
                                   from fleet.erasure_files as f where f.erasure_id = e.erasure_id) end) order by e.asked_at), '[]')
      from (select e.* from fleet.erasure_nodes as m join fleet.erasures as e on e.erasure_id = m.erasure_id
             where m.node_id = v_node and m.confirmed_at is null and e.state = 'removing'
             order by e.asked_at limit 1000) as e);
end
$$;

-- erased_v1: the calling node has nothing of it any more, on disk or in the memory of a runner.
--
-- Caller   fleet_agent
-- p_dropped  {files, models, runners}: how many there were
-- Locks    its row of the erasure, then its node row
-- Errors   JQ003 session_lost
create function fleet.erased_v1(p_session uuid, p_secret text, p_erasure uuid, p_dropped jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node bigint := (fleet._session(p_session, p_secret)).node_id;
begin
  update fleet.erasure_nodes as m
     set confirmed_at = fleet.now(),
         dropped = (select jsonb_object_agg(w, coalesce((p_dropped ->> w)::bigint, 0)) from unnest(array['files', 'models', 'runners']) as w)
   where m.erasure_id = p_erasure and m.node_id = v_node and m.confirmed_at is null;
  perform fleet._erasing(v_node);
  return 'null';
end
$$;

-- _erasing: whether a node has anything left to drop; its heartbeats say so.
create function fleet._erasing(p_node bigint)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Locked first: an erasure that begins meanwhile sets it after us, or is seen here.
  perform 1 from fleet.nodes as n where n.node_id = p_node for no key update;
  update fleet.nodes as n
     set erasing = exists (select from fleet.erasure_nodes as m where m.node_id = p_node and m.confirmed_at is null)
   where n.node_id = p_node;
end
$$;

-- waive_erasure_v1: do not wait for a node: its machine is gone, or somebody vouches for its disk. The receipt says so.
--
-- Caller   fleet_api, fleet_admin
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict: the node has confirmed
create function fleet.waive_erasure_v1(p_erasure uuid, p_node text, p_reason text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node  bigint := (select n.node_id from fleet.nodes as n where n.node = p_node);
  v_until timestamptz;
begin
  perform fleet._audit('waive_erasure', jsonb_build_object('erasure', p_erasure, 'node', p_node, 'reason', p_reason));
  if coalesce(length(p_reason), 0) not between 1 and 500 then
    raise exception using errcode = 'JQ002', message = 'a reason has 1 to 500 characters', column = 'reason',
      hint = 'Say what became of the machine and its disk.';
  end if;
  select m.confirmed_at into v_until from fleet.erasure_nodes as m
   where m.erasure_id = p_erasure and m.node_id = v_node for update;
  if not found then
    raise exception using errcode = 'JQ005', message = format('erasure %s does not wait for a node %s', p_erasure, p_node),
      column = 'node', hint = 'Its receipt lists the nodes.';
  elsif v_until is not null then
    raise exception using errcode = 'JQ006', message = format('%s has confirmed', p_node), column = 'node',
      hint = 'Nothing is left to do.';
  end if;
  update fleet.erasure_nodes as m set confirmed_at = fleet.now(), waived = p_reason
   where m.erasure_id = p_erasure and m.node_id = v_node;
  perform fleet._erasing(v_node);
  return 'null';
end
$$;
