-- create_key_v1: a new API key; the project is made when there is none of that name.
--
-- Caller   fleet_admin
-- Returns  {key_id, key, project_id}; the key is shown this once
-- Errors   JQ002 bad_request
create function fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb, p_ceiling text default 'high',
                                    p_for_s double precision default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project uuid;
  v_prefix  text := 'argosy_' || substr(encode(uuid_send(gen_random_uuid()), 'hex'), 1, 12);
  v_key     text := v_prefix || '_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  v_scopes  text[] := array(select distinct jsonb_array_elements_text(p_scopes));
  v_id      uuid;
begin
  perform fleet._audit('create_key', jsonb_build_object('project', p_project, 'name', p_name, 'scopes', p_scopes, 'ceiling', p_ceiling,
                                                         'prefix', v_prefix, 'for_s', p_for_s));
  perform set_config('synchronous_commit', 'on', true);
  if p_project is null or p_project !~ '^[a-z0-9][a-z0-9._-]{0,62}$' then
    raise exception using errcode = 'JQ002', message = format('%s is no project name', coalesce(p_project, 'null')),
      column = 'project', hint = 'Lower-case letters, digits, dots, dashes; 63 at most.';
  end if;
  if not v_scopes <@ array['submit', 'read', 'erase', 'metrics', 'admin'] or cardinality(v_scopes) = 0 then
    raise exception using errcode = 'JQ002', message = format('scopes are submit, read, erase, metrics and admin, got %s', p_scopes),
      column = 'scopes', hint = 'Name at least one.';
  end if;
  if not p_for_s between 1 and 10 * 365 * 86400 then
    raise exception using errcode = 'JQ002', message = format('a key is good for a second to ten years, not for %s s', p_for_s),
      column = 'for_s', hint = 'Leave it out for a key that does not end.';
  end if;
  if p_ceiling not in ('low', 'normal', 'high', 'urgent') then
    raise exception using errcode = 'JQ002', message = format('there is no priority %s', p_ceiling), column = 'ceiling',
      hint = 'low, normal, high or urgent.';
  end if;
  insert into fleet.projects (name, webhook_secret)
  values (p_project, 'whsec_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'))
      on conflict (name) do nothing;
  select p.project_id into strict v_project from fleet.projects as p where p.name = p_project;
  insert into fleet.api_keys (project_id, name, prefix, hash, scopes, ceiling, expires_at)
  values (v_project, p_name, v_prefix, sha256(convert_to(v_key, 'UTF8')), v_scopes, p_ceiling::fleet.priority,
          fleet.now() + make_interval(secs => p_for_s))
  returning key_id into v_id;
  return jsonb_build_object('key_id', v_id, 'key', v_key, 'project_id', v_project);
end
$$;

-- authenticate_v1: whose key is this? null when it is unknown, revoked, or its time is over.
--
-- Caller   fleet_api
create function fleet.authenticate_v1(p_key text)
  returns jsonb
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select jsonb_build_object('key_id', k.key_id, 'project_id', k.project_id, 'project', p.name, 'scopes', to_jsonb(k.scopes))
       from fleet.api_keys as k
       join fleet.projects as p on p.project_id = k.project_id
      where k.prefix = left(p_key, 19)
        and k.hash = sha256(convert_to(p_key, 'UTF8'))
        and fleet._in_force(k, fleet.now())), 'null')
$$;

-- _in_force: whether a key works.
create function fleet._in_force(p_key fleet.api_keys, p_now timestamptz)
  returns boolean
  language sql
  immutable
  return (p_key).revoked_at is null and ((p_key).expires_at is null or (p_key).expires_at > p_now);

-- _key: an API key without its secret.
create function fleet._key(p_key uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('key_id', k.key_id, 'project', p.name, 'name', k.name, 'prefix', k.prefix,
                            'scopes', to_jsonb(k.scopes), 'ceiling', k.ceiling, 'created_at', k.created_at,
                            'expires_at', k.expires_at, 'revoked_at', k.revoked_at)
    from fleet.api_keys as k
    join fleet.projects as p on p.project_id = k.project_id
   where k.key_id = p_key
$$;

-- _key_named: the one key whose prefix begins so; at least four of its digits are said, so that nobody's unset variable names the
-- only key there is.
--
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict
create function fleet._key_named(p_prefix text)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_keys uuid[] := array(select k.key_id from fleet.api_keys as k where starts_with(k.prefix, p_prefix));
begin
  if p_prefix ~ '^argosy_[0-9a-f]{4,12}$' is not true then  -- not repeated: it may be a whole key
    raise exception using errcode = 'JQ002', message = 'this is not how a key begins', column = 'prefix',
      hint = 'Give argosy_ and at least 4 of its 12 digits, as `argosy key list` shows them.';
  elsif cardinality(v_keys) = 0 then
    raise exception using errcode = 'JQ005', message = format('no key starts with %s', p_prefix), column = 'prefix',
      hint = 'List keys to find its prefix.';
  elsif cardinality(v_keys) > 1 then
    raise exception using errcode = 'JQ006', message = format('%s keys start with %s', cardinality(v_keys), p_prefix),
      column = 'prefix', hint = 'Give more of it.';
  end if;
  return v_keys[1];
end
$$;

-- list_keys_v1: all keys, or those of one project.
--
-- Caller   fleet_admin
create function fleet.list_keys_v1(p_project text default null)
  returns jsonb
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(fleet._key(k.key_id) order by k.created_at), '[]')
    from fleet.api_keys as k
    join fleet.projects as p on p.project_id = k.project_id
   where p_project is null or p.name = p_project
$$;

-- revoke_key_v1: a key is useless from now on.
--
-- Caller   fleet_admin
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict
create function fleet.revoke_key_v1(p_prefix text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key uuid;
begin
  perform set_config('synchronous_commit', 'on', true);
  v_key := fleet._key_named(p_prefix);
  perform fleet._audit('revoke_key', (select jsonb_build_object('prefix', k.prefix) from fleet.api_keys as k where k.key_id = v_key));
  update fleet.api_keys as k set revoked_at = coalesce(k.revoked_at, fleet.now()) where k.key_id = v_key;
  return fleet._key(v_key);
end
$$;

-- rotate_key_v1: a key like this one, good for as long from now on as this one was at first, and for this one an end: until then
-- both work, so that nobody need stop to change. Its schedules go on with the new one.
--
-- Caller   fleet_admin
-- Returns  as create_key_v1
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict
create function fleet.rotate_key_v1(p_prefix text, p_overlap_s double precision)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_old  fleet.api_keys;
  v_made jsonb;
begin
  perform set_config('synchronous_commit', 'on', true);
  if p_overlap_s is null or not p_overlap_s between 0 and 365 * 86400 then
    raise exception using errcode = 'JQ002', message = format('both keys work for 0 s to a year, not for %s s', p_overlap_s),
      column = 'overlap_s', hint = 'Long enough for whoever has the old one to take the new one.';
  end if;
  select k.* into strict v_old from fleet.api_keys as k where k.key_id = fleet._key_named(p_prefix) for update;
  perform fleet._audit('rotate_key', jsonb_build_object('prefix', v_old.prefix, 'overlap_s', p_overlap_s));
  if not fleet._in_force(v_old, fleet.now()) then
    raise exception using errcode = 'JQ006', message = format('the key %s is not in force any more', v_old.prefix),
      column = 'prefix', hint = 'Create a new one.';
  end if;
  v_made := (select fleet.create_key_v1(p.name, v_old.name, to_jsonb(v_old.scopes), v_old.ceiling::text,
                                        extract(epoch from v_old.expires_at - v_old.created_at)::double precision)
               from fleet.projects as p where p.project_id = v_old.project_id);
  update fleet.api_keys as k
     set expires_at = least(k.expires_at, fleet.now() + make_interval(secs => p_overlap_s))
   where k.key_id = v_old.key_id;
  update fleet.schedules as s set key_id = (v_made ->> 'key_id')::uuid where s.key_id = v_old.key_id;
  return v_made;
end
$$;
