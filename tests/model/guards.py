"""What the SQL functions do so that the invariants hold: each text is there once, and something breaks without it."""

from __future__ import annotations

from typing import NamedTuple

from tests.model import scenarios
from tests.model.scenarios import Scenario


class Guard(NamedTuple):
    """One text in one function."""

    function: str
    text: str
    instead: str
    """What remains of it."""
    needed_by: Scenario


GUARDS = {
    "the token of a settle": Guard(
        "_settle",
        "and l.token = i.token\n",
        "\n",
        scenarios.the_first_attempt_fails_during_the_second,
    ),
    "the session of a settle": Guard(
        "_settle",
        "and (p_session is null or l.session_id = p_session)",
        "",
        scenarios.another_node_fails_it,
    ),
    "a cancel that was asked": Guard(
        "_settle",
        "t.command = 'cancel' or ",
        "",
        scenarios.handed_back_though_cancelled,
    ),
    "bookings not yet realised": Guard(
        "_measure",
        "x.free_mib - b.mib + coalesce(v_real[array_position(v_idx, d.idx)], 0)",
        "x.free_mib",
        scenarios.outsiders_come_before_the_first_has_grown,
    ),
    "bookings against the whole device": Guard(
        "_measure",
        "d.total_mib - b.mib)",
        "d.total_mib)",
        scenarios.a_sample_says_that_all_is_free,
    ),
    "the headroom": Guard(
        "_measure",
        "- d.headroom_mib as claimable",
        "as claimable",
        scenarios.only_the_headroom_is_left,
    ),
    "the order of samples": Guard(
        "_measure",
        "v_seq <= p_booked.sample_seq",
        "false",
        scenarios.a_sample_was_overtaken,
    ),
    "the booking within one claim": Guard(
        "_book",
        "v_room.claimable[v_at] := v_room.claimable[v_at] - p_shape.vram_mib;",
        "null;",
        scenarios.two_at_once_with_room_for_one,
    ),
    "leaving waiting for ready": Guard(
        "_enqueue",
        "delete from fleet.waiting as w where w.job_id = any(v_jobs);",
        "",
        scenarios.what_was_waited_for_succeeds,
    ),
    "a lane made active": Guard(
        "_enqueue",
        "and (not l.active or l.head_key > h.order_key)",
        "and l.active",
        scenarios.a_lane_wakes_up,
    ),
    "the head of a lane brought back": Guard(
        "_enqueue",
        "and (not l.active or l.head_key > h.order_key)",
        "and not l.active",
        scenarios.an_older_job_comes_back,
    ),
    "the second look before a lane is idle": Guard(
        "_retire",
        "and not exists (select from fleet.ready as r where r.lane_id = l.lane_id and r.order_key >= l.head_key)",
        "",
        scenarios.a_lane_is_thought_dry,
    ),
    "a backlog that follows its need": Guard(
        "_fit_needs",
        "perform fleet._reshape(v_moved);",
        "null;",
        scenarios.one_of_many_runs_out_of_memory,
    ),
    "what was too little for one is too little for all": Guard(
        "_raise",
        "greatest(n.raised_mib, v_rung.to_mib)",
        "n.raised_mib",
        scenarios.one_of_many_runs_out_of_memory,
    ),
    "a rung that nobody is charged for": Guard(
        "_settle",
        "when t.to_mib is not null and j.rungs < s.oom_rungs then",
        "when false then",
        scenarios.one_of_many_runs_out_of_memory,
    ),
    "what an end gives back": Guard(
        "_settle",
        "perform fleet._unbook(v_freed);",
        "",
        scenarios.handed_back,
    ),
    "what an end gives back to a cap": Guard(
        "_settle",
        "where d.capped\n",
        "where false\n",
        scenarios.a_capped_job_fails,
    ),
    "what counts in a cap": Guard(
        "_count_in",
        "running = c.running + cardinality(p_jobs)",
        "running = c.running",
        scenarios.a_capped_job_fails,
    ),
    "the VRAM that a cap keeps": Guard(
        "_cap_for",
        "v_cap.vram_mib := v_cap.vram_mib + v_cap.kept_mib;",
        "",
        scenarios.a_big_job_waits_for_vram_of_its_cap,
    ),
    "the place that a cap keeps": Guard(
        "_cap_for",
        "v_cap.running := v_cap.running + 1;",
        "",
        scenarios.a_big_job_waits_for_the_last_place_of_its_cap,
    ),
    "the pause of a project": Guard(
        "pause_v1",
        "set paused = p_paused",
        "set paused = l.paused",
        scenarios.a_paused_project_has_ready_work,
    ),
    "the place that is kept": Guard(
        "claim_v1",
        "fleet._least(v_room, v_kept.rest)",
        "v_room",
        scenarios.a_big_job_has_a_place_kept,
    ),
    "the end of what waited for a success": Guard(
        "_settle",
        "perform fleet._resolve(v_failed);",
        "",
        scenarios.what_was_waited_for_fails,
    ),
    "the start of what waited for a success": Guard(
        "_succeed",
        "perform fleet._resolve(v_held);",
        "",
        scenarios.what_was_waited_for_succeeds,
    ),
    "the token of a success": Guard(
        "_succeed",
        "and l.token = i.token\n",
        "\n",
        scenarios.the_first_attempt_succeeds_during_the_second,
    ),
    "the session of a success": Guard(
        "_succeed",
        "and (p_session is null or l.session_id = p_session)",
        "",
        scenarios.another_node_completes_it,
    ),
    "what a success gives back": Guard(
        "_succeed",
        "perform fleet._unbook(v_freed);",
        "",
        scenarios.completed,
    ),
    "counting one edge down": Guard(
        "_resolve",
        "set waits_for = w.waits_for - c.n",
        "set waits_for = w.waits_for",
        scenarios.what_was_waited_for_succeeds,
    ),
    "ends that end others in turn": Guard(
        "_resolve",
        "select array_agg(e.job_id) into v_news from ended as e;",
        "select null::uuid[] into v_news;",
        scenarios.what_was_waited_for_is_cancelled,
    ),
    "work that did not allow it": Guard(
        "_preempt",
        "and l.preemptible and l.command is null",
        "and l.command is null",
        scenarios.an_urgent_job_finds_both_sorts_at_work,
    ),
    "leases that follow a restart": Guard(
        "join_v1",
        "update fleet.leases as l set session_id = v_session, unnamed = 0 where l.session_id = v_old.session_id;",
        "",
        scenarios.the_agent_starts_anew,
    ),
    "leaving ready at a cancel": Guard(
        "cancel_v1",
        "and (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)",
        "and false",
        scenarios.what_is_ready_is_cancelled,
    ),
}
