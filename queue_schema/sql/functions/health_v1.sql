-- health_v1: what was measured on a node, and which of its devices are sick, without a claim.
--
-- Caller   fleet_agent
-- p_sample as for claim_v1; a device with a fault takes no work until a sample without one
-- Locks    the session row KEY SHARE; the node's row of bookings, as a claim does
-- Errors   JQ003 session_lost
create function fleet.health_v1(p_session uuid, p_secret text, p_sample jsonb)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node bigint := (fleet._session(p_session, p_secret)).node_id;
begin
  perform from fleet.bookings as b where b.node_id = v_node for no key update;
  perform fleet._note_sample(v_node, p_sample, fleet.now());
end
$$;
