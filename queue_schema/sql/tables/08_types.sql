-- What the parts of a claim and of a settle hand to each other.

-- What a claim may still hand out on one node; arrays run over its measured devices, host memory last.
create type fleet.room as (
  slots     integer,
  cpu_milli integer,
  disk_mib  integer,
  idx       integer[],
  kind      text[],
  takes     boolean[],
  claimable integer[]
);

-- A place kept on a node: for which job, from when, and what of the node others may have that will still run then.
create type fleet.kept as (
  job_id     uuid,
  project_id uuid,
  lane_id    bigint,
  order_key  bigint,
  priority   fleet.priority,
  shape      fleet.shapes,
  run_s      double precision,
  begins_at  timestamptz,
  rest       fleet.room
);

-- An attempt that ran out of memory: what of, and how much the next one gets (null: there is no more, or others took it).
create type fleet.rung as (
  job_id     uuid,
  token      uuid,
  need_id    bigint,
  memory     text,
  peak_mib   integer,
  booked_mib integer,
  far        boolean,
  from_mib   integer,
  to_mib     integer,
  top_mib    integer
);

-- What learn took up of the needs that learn together; project_id null: of all projects.
create type fleet.lesson as (
  kind       text,
  model_key  text,
  size_key   text,
  project_id uuid,
  runs       bigint,
  run_s      double precision[],
  peak_mib   integer[],
  grew_mib   integer
);

-- What leases on the same devices of one node had booked: vram_mib on each device for each of them, the rest summed.
create type fleet.booking as (
  node_id   bigint,
  devices   integer[],
  vram_mib  integer,
  held      integer,
  ram_mib   integer,
  cpu_milli integer,
  disk_mib  bigint
);

-- What one visit of a lane took: its jobs, where each goes, and what a job of it is charged and expected to take.
create type fleet.taken as (
  jobs       uuid[],
  places     text[],
  shape      fleet.shapes,
  charge     double precision,
  run_s      double precision,
  project_id uuid,
  low        boolean,
  capped     boolean
);
