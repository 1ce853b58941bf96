-- join_v1: begin a session. A restart of the same agent takes over the leases of its last session.
--
-- Caller   fleet_agent
-- Returns  {session_id, secret, lease_s, heartbeat_s, draining, held: [{job_id, token}]}
-- Locks    the node row, then its live session row (FOR UPDATE), its devices; then as _settle
-- Errors   JQ002 bad_request, JQ004 node_name_taken
create function fleet.join_v1(p_declared jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_set     fleet.settings;
  v_node    fleet.nodes;
  v_old     fleet.sessions;
  v_beat    timestamptz;
  v_session uuid := gen_random_uuid();
  v_secret  text := encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  v_name    text := p_declared ->> 'node';
begin
  perform set_config('synchronous_commit', 'on', true);
  select s.* into strict v_set from fleet.settings as s;
  if v_name is null or v_name !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$' then
    raise exception using errcode = 'JQ002', message = format('%s is no node name', coalesce(v_name, 'null')),
      column = 'node', hint = 'Letters, digits, dots, dashes; 127 at most.';
  end if;
  if (select count(*) from jsonb_to_recordset(p_declared -> 'devices') as d (kind text) where d.kind = 'ram') <> 1 then
    raise exception using errcode = 'JQ002', message = 'a node declares its host memory as one device of kind ram',
      column = 'devices', hint = 'Add it with idx -1.';
  end if;

  insert into fleet.nodes (node) values (v_name) on conflict (node) do nothing;
  select n.* into strict v_node from fleet.nodes as n where n.node = v_name for no key update;
  select s.* into v_old from fleet.sessions as s where s.node_id = v_node.node_id and s.ended_at is null for update;
  if found then
    select b.beat_at into v_beat from fleet.session_beats as b where b.session_id = v_old.session_id;
    if v_old.instance <> p_declared ->> 'instance' then
      if v_beat > v_now - make_interval(secs => v_set.lease_s) then
        raise exception using errcode = 'JQ004', column = 'node',
          message = format('a live machine (%s, version %s) has joined as %s', v_old.boot, v_old.version, v_name),
          hint = 'Give this machine another name, or stop the other one.';
      end if;
      -- Silent for a lease, but not reaped yet: its leases are lost as if it had been.
      perform fleet._settle(null, fleet._lost_items(array[v_old.session_id]), 'failed', 'reaper');
    end if;
    update fleet.sessions as s
       set ended_at = v_now, end_reason = case when v_old.instance = p_declared ->> 'instance' then 'rejoined' else 'silent' end
     where s.session_id = v_old.session_id;
  end if;

  update fleet.nodes as n
     set facts = coalesce(p_declared -> 'labels', '{}'),
         cpu_milli = (p_declared ->> 'cpu_milli')::integer,
         disk_mib = (p_declared ->> 'disk_mib')::integer
   where n.node_id = v_node.node_id;
  delete from fleet.devices as d
   where d.node_id = v_node.node_id
     and d.idx not in (select x.idx from jsonb_to_recordset(p_declared -> 'devices') as x (idx integer));
  insert into fleet.devices as d (node_id, idx, uuid, kind, name, total_mib, headroom_mib, takes_vram)
  select v_node.node_id, x.idx, x.uuid, x.kind, x.name, x.total_mib, x.headroom_mib, x.takes_vram
    from jsonb_to_recordset(p_declared -> 'devices') as x (idx integer, uuid text, kind text, name text, total_mib integer,
                                                           headroom_mib integer, takes_vram boolean)
      on conflict (node_id, idx) do update
     set uuid = excluded.uuid, kind = excluded.kind, name = excluded.name, total_mib = excluded.total_mib,
         headroom_mib = excluded.headroom_mib, takes_vram = excluded.takes_vram,
         free_mib = null, sampled_at = null, fault = null, fault_since = null;
  insert into fleet.bookings as b (node_id) values (v_node.node_id)
      on conflict (node_id) do update set sample_seq = 0, request_id = null;

  insert into fleet.sessions (session_id, node_id, instance, boot, version, kinds, slots, secret_hash, joined_at)
  select v_session, v_node.node_id, p_declared ->> 'instance', p_declared ->> 'boot', p_declared ->> 'version',
         array(select jsonb_array_elements_text(p_declared -> 'kinds')), (p_declared ->> 'slots')::integer,
         sha256(convert_to(v_secret, 'UTF8')), v_now;
  insert into fleet.session_beats (session_id, beat_at) values (v_session, v_now);
  update fleet.leases as l set session_id = v_session, unnamed = 0 where l.session_id = v_old.session_id;
  -- Whoever is dead would be woken first, as the one who has been there longest, and the wake be lost.
  delete from fleet.idle_sessions as i where i.session_id = v_old.session_id;

  return jsonb_build_object(
    'session_id', v_session, 'secret', v_secret, 'lease_s', v_set.lease_s, 'heartbeat_s', v_set.heartbeat_s,
    'draining', v_node.draining,
    'held', coalesce((select jsonb_agg(jsonb_build_object('job_id', l.job_id, 'token', l.token) order by l.claimed_at)
                        from fleet.leases as l
                       where l.session_id = v_session), '[]'));
end
$$;
