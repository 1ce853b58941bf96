-- _items: the jobs of a submission as rows, with their places; the one list of their fields. Bound when it is made, so that
-- it needs no SET and is inlined.
create function fleet._items(p_items fleet.submission[])
  returns table (place bigint, kind text, params jsonb, name text, ref text, priority fleet.priority, need jsonb, inputs jsonb,
                 after jsonb, run_at timestamptz, start_by timestamptz, timeout_s bigint, retries bigint, exclusive boolean,
                 preemptible boolean, webhook text, tags jsonb)
  language sql
  immutable
begin atomic
  select i.place, i.kind, i.params, i.name, i.ref, i.priority, i.need, i.inputs, i.after, i.run_at, i.start_by, i.timeout_s,
         i.retries, i.exclusive, i.preemptible, i.webhook, i.tags
    from unnest(p_items) with ordinality
         as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive,
               preemptible, webhook, tags, place);
end;
