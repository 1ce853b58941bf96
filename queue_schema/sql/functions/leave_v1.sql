-- leave_v1: end the calling session; what it still holds is released without blame.
--
-- Caller   fleet_agent
-- Locks    the session row, then as _settle
-- Errors   JQ003 session_lost
create function fleet.leave_v1(p_session uuid, p_secret text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_items jsonb;
begin
  perform fleet._session(p_session, p_secret);
  perform 1 from fleet.sessions as s where s.session_id = p_session for update;
  select coalesce(jsonb_agg(jsonb_build_object('job_id', l.job_id, 'token', l.token,
                                               'message', 'the node left')), '[]')
    into v_items
    from fleet.leases as l
   where l.session_id = p_session;
  perform fleet._settle(p_session, v_items, 'released', 'agent');
  update fleet.sessions as s set ended_at = fleet.now(), end_reason = 'left' where s.session_id = p_session;
  delete from fleet.idle_sessions as i where i.session_id = p_session;
  return 'null';
end
$$;
