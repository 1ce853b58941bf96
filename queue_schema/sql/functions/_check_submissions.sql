-- _check_submissions: refuse the first job that cannot be, naming the field and the fix.
--
-- Errors   JQ002 bad_request
--
-- Most jobs say a kind and params and no more; to get ready for all the questions below takes longer than a submission
-- of one of those.
create function fleet._check_submissions(p_items fleet.submission[])
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bad record;
begin
  if not exists (select
                   from fleet._items(p_items) as i
                   left join fleet.kinds as k on k.kind = i.kind
                  where k.kind is null
                     or jsonb_typeof(i.params) is distinct from 'object'
                     or k.model_param is not null
                     or num_nonnulls(nullif(i.need, 'null'), nullif(i.tags, 'null'), nullif(i.after, 'null'),
                                     nullif(i.inputs, 'null'), i.name, i.timeout_s, i.retries, i.webhook, i.start_by, i.ref) > 0) then
    return;
  end if;
  select i.place - 1 as at, c.field, c.message, c.fix
    into v_bad
    from fleet._items(p_items) as i
    left join fleet.kinds as k on k.kind = i.kind
   cross join lateral (
     select case
              when i.kind is null or k.kind is null then array['kind', format('there is no kind %s', coalesce(i.kind, 'null')),
                'Use one of: ' || (select string_agg(kinds.kind, ', ' order by kinds.kind) from fleet.kinds)]
              when jsonb_typeof(i.params) not in ('object') then array['params', 'params is an object', 'Send {}.']
              when i.need is not null and jsonb_typeof(i.need) not in ('object', 'null') then array['need', 'a need is an object',
                'Write {"vram_mib": 8000}.']
              when i.need -> 'labels' is not null and jsonb_typeof(i.need -> 'labels') not in ('object', 'null')
                then array['need.labels', 'labels are an object of texts', 'Write {"zone": "a"}.']
              when length((i.need -> 'labels')::text) > 1000 then array['need.labels', 'labels have at most 1,000 characters',
                'Use fewer.']
              when i.tags is not null and jsonb_typeof(i.tags) not in ('object', 'null') then array['tags', 'tags are an object of texts',
                'Write {"order": "7"}.']
              when i.after is not null and jsonb_typeof(i.after) not in ('array', 'null') then array['after', 'after is a list',
                'Write ["id"].']
              when i.inputs is not null and jsonb_typeof(i.inputs) not in ('object', 'null') then array['inputs', 'inputs are an object',
                'Write {"name": {"sha256": "..."}}.']
              when jsonb_typeof(i.inputs) = 'object' and fleet._no_file_name(i.inputs) is not null
                then array['inputs.' || left(fleet._no_file_name(i.inputs), 100), 'an input is named as the file the job finds it in',
                'A path of parts of at most 255 bytes, none of them "", "." or ".."; no name may be the folder of another.']
              when length(i.params ->> k.model_param) > 500 then array['params.' || k.model_param,
                'the name of a model has at most 500 characters', 'Shorten it.']
              when length(i.name) > 200 then array['name', 'a name has at most 200 characters', 'Shorten it.']
              when i.timeout_s not between 1 and 2592000 then array['timeout_s',
                format('a time limit is 1 s to 30 days, got %s', i.timeout_s), 'Leave it out for the default of the kind.']
              when i.retries not between 0 and 100 then array['retries',
                format('retries are 0 to 100, got %s', i.retries), 'Leave it out for the default of the kind.']
              when i.webhook is not null and i.webhook !~ '^https?://[^\s/]+' then array['webhook',
                'a webhook is an http or https address', 'Write https://host/path.']
              when (i.need ->> 'gpus')::numeric not between 0 and 64 then array['need.gpus',
                format('0 to 64 devices, got %s', i.need ->> 'gpus'), 'One job runs on one node.']
              when (i.need ->> 'vram_mib')::numeric not between 0 and 4194304 then array['need.vram_mib',
                format('0 to 4,194,304 MiB, got %s', i.need ->> 'vram_mib'), 'The unit is MiB.']
              when (i.need ->> 'vram_mib')::numeric > 0 and coalesce((i.need ->> 'gpus')::numeric, k.gpus) = 0
                then array['need.vram_mib', 'a job without GPUs has no GPU memory',
                'Add "gpus": 1 to the need, or leave vram_mib out.']
              when (i.need ->> 'cpu_milli')::numeric not between 0 and 1024000 then array['need.cpu_milli',
                format('0 to 1,024,000, got %s', i.need ->> 'cpu_milli'), 'The unit is a thousandth of a core.']
              when (i.need ->> 'ram_mib')::numeric not between 0 and 16777216 then array['need.ram_mib',
                format('0 to 16,777,216 MiB, got %s', i.need ->> 'ram_mib'), 'The unit is MiB.']
              when (i.need ->> 'disk_mib')::numeric not between 0 and 1073741824 then array['need.disk_mib',
                format('0 to 1,073,741,824 MiB, got %s', i.need ->> 'disk_mib'), 'The unit is MiB.']
              when i.need ->> 'device' not in ('any', 'gpu', 'ram') then array['need.device',
                format('a device is any, gpu or ram, got %s', i.need ->> 'device'), 'Leave it out for the default of the kind.']
              when i.start_by < i.run_at then array['start_by', 'start_by is before run_at', 'It could never start.']
              when i.ref !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' then array['ref',
                format('%s is no name', i.ref), 'Letters, digits, dots, dashes.']
            end as said
   ) as q
   cross join lateral (select q.said[1] as field, q.said[2] as message, q.said[3] as fix) as c
   where q.said is not null
   order by i.place
   limit 1;

  if found then
    raise exception using errcode = 'JQ002', message = v_bad.message, hint = v_bad.fix,
      column = format('jobs[%s].%s', v_bad.at, v_bad.field);
  end if;
end
$$;

-- _no_file_name: the first name of an input that cannot be a file beside the others; null: all can.
--
-- By bytes and with a / at its end, a folder comes right before what is in it: so each name looks at the next one, not at all.
create function fleet._no_file_name(p_inputs jsonb)
  returns text
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select k.name
    from (select n.name, lead(n.name) over (order by (n.name || '/') collate "C") as next
            from jsonb_object_keys(p_inputs) as n (name)) as k
   where k.name ~ '(^|/)\.{0,2}(/|$)'
      or k.name ~ '[\x01-\x1f\x7f]'
      or octet_length(k.name) > 1000
      or exists (select from regexp_split_to_table(k.name, '/') as p (part) where octet_length(p.part) > 255)
      or starts_with(k.next, k.name || '/')
   order by k.name
   limit 1
$$;

-- _check_objects: refuse the first job of a list that is no object, of which no field could be asked.
--
-- Errors   JQ002 bad_request
create function fleet._check_objects(p_jobs jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_at bigint := (select min(e.place) - 1 from jsonb_array_elements(p_jobs) with ordinality as e (job, place)
                   where jsonb_typeof(e.job) <> 'object');
begin
  if v_at is not null then
    raise exception using errcode = 'JQ002', message = format('a job is an object, not %s', jsonb_typeof(p_jobs -> v_at::integer)),
      column = format('jobs[%s]', v_at), hint = 'Write {"kind": ...}.';
  end if;
end
$$;

-- _check_ceiling: a key may submit to classes up to its own; a job that states none is of class normal. Without a key all is
-- allowed: an operator asks.
--
-- Errors   JQ002 bad_request
create function fleet._check_ceiling(p_key uuid, p_items fleet.submission[])
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ceiling fleet.priority := (select k.ceiling from fleet.api_keys as k where k.key_id = p_key);
  v_bad     record;
begin
  select i.place - 1 as at, coalesce(i.priority, 'normal') as priority
    into v_bad
    from fleet._items(p_items) as i
   where p_key is not null
     and coalesce(i.priority, 'normal') <= v_ceiling is not true  -- nothing is, of a key that is not there
   order by i.place
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = format('jobs[%s].priority', v_bad.at),
      message = format('this key may submit up to %s, not %s', coalesce(v_ceiling::text, 'nothing'), v_bad.priority),
      hint = 'Use a lower priority, or ask an admin for a key with a higher ceiling.';
  end if;
end
$$;
