-- Written by `make schema`: all that the migrations make, in one file; its diff is what a change does.
--
-- PostgreSQL database dump
--

--
-- Name: fleet; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA fleet;

--
-- Name: SCHEMA fleet; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA fleet IS 'Argosy: the queue, the machines and the history. Start with: select * from fleet.v_queue;';

--
-- Name: booking; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.booking AS (
	node_id bigint,
	devices integer[],
	vram_mib integer,
	held integer,
	ram_mib integer,
	cpu_milli integer,
	disk_mib bigint
);

--
-- Name: cause; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.cause AS ENUM (
    'user_error',
    'out_of_memory',
    'timeout',
    'infrastructure',
    'lost',
    'preempted',
    'cancelled',
    'dependency',
    'expired'
);

--
-- Name: TYPE cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.cause IS 'Why an attempt or a job did not succeed.';

--
-- Name: job_end; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.job_end AS ENUM (
    'succeeded',
    'failed',
    'ended'
);

--
-- Name: TYPE job_end; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.job_end IS 'What end of a job another one waits for: its success, its failure, or any.';

--
-- Name: job_state; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.job_state AS ENUM (
    'waiting',
    'ready',
    'running',
    'succeeded',
    'failed',
    'cancelled'
);

--
-- Name: TYPE job_state; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.job_state IS 'Where a job is; exactly one at a time (I1).';

--
-- Name: priority; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.priority AS ENUM (
    'low',
    'normal',
    'high',
    'urgent'
);

--
-- Name: TYPE priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.priority IS 'Classes in rising order: the greater one is claimed first.';

--
-- Name: room; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.room AS (
	slots integer,
	cpu_milli integer,
	disk_mib integer,
	idx integer[],
	kind text[],
	takes boolean[],
	claimable integer[]
);

--
-- Name: shapes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.shapes (
    shape_id bigint NOT NULL,
    gpus integer NOT NULL,
    vram_mib integer NOT NULL,
    cpu_milli integer NOT NULL,
    ram_mib integer NOT NULL,
    disk_mib integer NOT NULL,
    device text NOT NULL,
    labels jsonb NOT NULL,
    kind text NOT NULL,
    pools text[]
);

--
-- Name: TABLE shapes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.shapes IS 'Distinct sets of requirements: all that decides whether a node can run a job.';

--
-- Name: COLUMN shapes.shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.shape_id IS 'Key.';

--
-- Name: COLUMN shapes.gpus; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.gpus IS 'Devices, all of one node.';

--
-- Name: COLUMN shapes.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.vram_mib IS 'Memory on each device.';

--
-- Name: COLUMN shapes.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.cpu_milli IS 'CPU, in thousandths of a core.';

--
-- Name: COLUMN shapes.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.ram_mib IS 'Host memory.';

--
-- Name: COLUMN shapes.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.disk_mib IS 'Scratch space.';

--
-- Name: COLUMN shapes.device; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.device IS 'any, gpu or ram.';

--
-- Name: COLUMN shapes.labels; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.labels IS 'The node must carry all of them.';

--
-- Name: COLUMN shapes.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.kind IS 'The agent must be able to run it.';

--
-- Name: COLUMN shapes.pools; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.pools IS 'The node must be in one of them; null: any node.';

--
-- Name: kept; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.kept AS (
	job_id uuid,
	project_id uuid,
	lane_id bigint,
	order_key bigint,
	priority fleet.priority,
	shape fleet.shapes,
	run_s double precision,
	begins_at timestamp with time zone,
	rest fleet.room
);

--
-- Name: lease_command; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.lease_command AS ENUM (
    'cancel',
    'preempt'
);

--
-- Name: TYPE lease_command; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.lease_command IS 'What the next heartbeat asks of a running attempt.';

--
-- Name: lesson; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.lesson AS (
	kind text,
	model_key text,
	size_key text,
	project_id uuid,
	runs bigint,
	run_s double precision[],
	peak_mib integer[],
	grew_mib integer
);

--
-- Name: rung; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.rung AS (
	job_id uuid,
	token uuid,
	need_id bigint,
	memory text,
	peak_mib integer,
	booked_mib integer,
	far boolean,
	from_mib integer,
	to_mib integer,
	top_mib integer
);

--
-- Name: submission; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.submission AS (
	kind text,
	params jsonb,
	name text,
	ref text,
	priority fleet.priority,
	need jsonb,
	inputs jsonb,
	after jsonb,
	run_at timestamp with time zone,
	start_by timestamp with time zone,
	timeout_s bigint,
	retries bigint,
	exclusive boolean,
	preemptible boolean,
	webhook text,
	tags jsonb
);

--
-- Name: TYPE submission; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.submission IS 'One job as its owner states it; queue_schema.shapes.Submission.';

--
-- Name: taken; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.taken AS (
	jobs uuid[],
	places text[],
	shape fleet.shapes,
	charge double precision,
	run_s double precision,
	project_id uuid,
	low boolean,
	capped boolean
);

--
-- Name: _absolute_inputs(jsonb, uuid[], jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_refs jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a7699b23d146a4c602cb799dd2c2d26b>;

--
-- Name: _advance(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._advance(p_lanes bigint[]) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <dadd42cdbe74e5f9d37ab0069e787938>;

--
-- Name: _announce(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._announce(p_jobs uuid[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <f30dc56bba5a7ecff1b351b3ad3f16bc>;

--
-- Name: _last_checkpoint(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._last_checkpoint(p_job uuid) RETURNS json
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <de27310f5800d690a3b2c76e9e44860f>;

--
-- Name: _resolved_inputs(uuid, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._resolved_inputs(p_project uuid, p_inputs jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a992968e409786ce5ec217e768a1374d>;

--
-- Name: _answer(uuid, uuid, integer, uuid, text, jsonb, jsonb, integer, boolean, text, integer[], integer, integer, integer, integer, text, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._answer(p_job uuid, p_token uuid, p_attempt integer, p_project uuid, p_kind text, p_params jsonb, p_inputs jsonb, p_timeout_s integer, p_exclusive boolean, p_trace text, p_devices integer[], p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer, p_disk_mib integer, p_model text, p_preemptible boolean) RETURNS text
    LANGUAGE sql STABLE
    RETURN concat('{"job_id":"', p_job, '","token":"', p_token, '","attempt":', p_attempt, ',"project_id":"', p_project, '","kind":"', p_kind, '","params":', p_params, ',"timeout_s":', p_timeout_s, ',"exclusive":', CASE WHEN p_exclusive THEN 'true'::text ELSE 'false'::text END, CASE WHEN (p_model <> ''::text) THEN concat(',"model":', to_json(p_model)) ELSE NULL::text END, CASE WHEN p_preemptible THEN ',"preemptible":true'::text ELSE NULL::text END, CASE WHEN (p_trace IS NOT NULL) THEN concat(',"trace":', to_json(p_trace)) ELSE NULL::text END, ',"grant":{"devices":[', array_to_string(p_devices, ','::text), '],"vram_mib":', p_vram_mib, ',"ram_mib":', p_ram_mib, ',"cpu_milli":', p_cpu_milli, ',"disk_mib":', p_disk_mib, '},"inputs":', CASE WHEN (p_inputs IS NULL) THEN '[]'::text ELSE (fleet._resolved_inputs(p_project, p_inputs))::text END, CASE WHEN (p_attempt > 1) THEN concat(',"checkpoint":', COALESCE((fleet._last_checkpoint(p_job))::text, 'null'::text)) ELSE NULL::text END, '}');

--
-- Name: _suits(fleet.shapes, jsonb, text[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._suits(p_shape fleet.shapes, p_labels jsonb, p_pools text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN ((((p_shape).pools IS NULL) OR ((p_shape).pools && p_pools)) AND (((p_shape).labels = '{}'::jsonb) OR (p_labels @> (p_shape).labels)));

--
-- Name: kinds; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.kinds (
    kind text NOT NULL,
    description text NOT NULL,
    gpus integer NOT NULL,
    vram_mib integer NOT NULL,
    cpu_milli integer NOT NULL,
    ram_mib integer NOT NULL,
    disk_mib integer NOT NULL,
    device text NOT NULL,
    timeout_s integer NOT NULL,
    retries integer NOT NULL,
    model_param text,
    size_params text[] DEFAULT '{}'::text[] NOT NULL,
    shared_learning boolean DEFAULT false NOT NULL,
    quarantined boolean DEFAULT false NOT NULL,
    quarantine_reason text,
    CONSTRAINT kinds_cpu_milli_check CHECK ((cpu_milli >= 0)),
    CONSTRAINT kinds_device_check CHECK ((device = ANY (ARRAY['any'::text, 'gpu'::text, 'ram'::text]))),
    CONSTRAINT kinds_disk_mib_check CHECK ((disk_mib >= 0)),
    CONSTRAINT kinds_gpus_check CHECK (((gpus >= 0) AND (gpus <= 64))),
    CONSTRAINT kinds_kind_check CHECK ((kind ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'::text)),
    CONSTRAINT kinds_ram_mib_check CHECK ((ram_mib >= 0)),
    CONSTRAINT kinds_retries_check CHECK ((retries >= 0)),
    CONSTRAINT kinds_timeout_s_check CHECK ((timeout_s > 0)),
    CONSTRAINT kinds_vram_mib_check CHECK ((vram_mib >= 0))
);

--
-- Name: TABLE kinds; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.kinds IS 'What code can run, and what it needs when the job does not say.';

--
-- Name: COLUMN kinds.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.kind IS 'Its name, for example diffusion.generate.';

--
-- Name: COLUMN kinds.description; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.description IS 'For people.';

--
-- Name: COLUMN kinds.gpus; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.gpus IS 'Devices, all of one node.';

--
-- Name: COLUMN kinds.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.vram_mib IS 'Memory on each device.';

--
-- Name: COLUMN kinds.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.cpu_milli IS 'CPU, in thousandths of a core.';

--
-- Name: COLUMN kinds.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.ram_mib IS 'Host memory, on top of any device that is host memory.';

--
-- Name: COLUMN kinds.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.disk_mib IS 'Scratch space.';

--
-- Name: COLUMN kinds.device; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.device IS 'any also takes the host memory of a machine without a GPU.';

--
-- Name: COLUMN kinds.timeout_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.timeout_s IS 'Wall time of one attempt.';

--
-- Name: COLUMN kinds.retries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.retries IS 'Retries of failures that are the job''s own.';

--
-- Name: COLUMN kinds.model_param; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.model_param IS 'The parameter that names the model, if any: what stays warm on a node.';

--
-- Name: COLUMN kinds.size_params; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.size_params IS 'The parameters that decide how much memory and time a job takes.';

--
-- Name: COLUMN kinds.shared_learning; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.shared_learning IS 'What was learned of it holds for all projects: our code, not theirs.';

--
-- Name: COLUMN kinds.quarantined; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.quarantined IS 'Nothing of it is claimed; submissions are taken.';

--
-- Name: COLUMN kinds.quarantine_reason; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.quarantine_reason IS 'For people.';

--
-- Name: lanes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.lanes (
    lane_id bigint NOT NULL,
    project_id uuid NOT NULL,
    priority fleet.priority NOT NULL,
    need_id bigint NOT NULL,
    shape_id bigint NOT NULL,
    active boolean DEFAULT false NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    rank double precision DEFAULT 0 NOT NULL,
    head_key bigint DEFAULT 0 NOT NULL,
    active_at timestamp with time zone
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='2', autovacuum_vacuum_threshold='20000', autovacuum_analyze_scale_factor='2', autovacuum_analyze_threshold='20000');

--
-- Name: TABLE lanes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.lanes IS 'Project x priority x need: what a claim looks through, instead of backlogs.';

--
-- Name: COLUMN lanes.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.lane_id IS 'Key.';

--
-- Name: COLUMN lanes.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.project_id IS 'The project.';

--
-- Name: COLUMN lanes.priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.priority IS 'The class.';

--
-- Name: COLUMN lanes.need_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.need_id IS 'The need.';

--
-- Name: COLUMN lanes.shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.shape_id IS 'The shape of its need.';

--
-- Name: COLUMN lanes.active; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.active IS 'May have ready jobs. False only while it certainly has none.';

--
-- Name: COLUMN lanes.paused; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.paused IS 'Nothing is claimed from it.';

--
-- Name: COLUMN lanes.rank; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.rank IS 'Fair share: the smaller goes first within a class. The project''s, as of the last ranking.';

--
-- Name: COLUMN lanes.head_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.head_key IS 'No ready job of it has a smaller order_key: where a claim begins to look, behind what is dead.';

--
-- Name: COLUMN lanes.active_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.active_at IS 'Since when it is active.';

--
-- Name: _asked(text[], jsonb, text[], double precision, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._asked(p_kinds text[], p_labels jsonb, p_pools text[], p_floor double precision, p_anywhere boolean DEFAULT false) RETURNS TABLE(shape_id bigint, priority fleet.priority)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH RECURSIVE walk(shape_id, priority) AS (
         ( SELECT l.shape_id,
             l.priority
            FROM fleet.lanes l
           WHERE (l.active AND (NOT l.paused) AND (l.rank >= _asked.p_floor))
           ORDER BY l.shape_id, l.priority
          LIMIT 1)
         UNION ALL
          SELECT n.shape_id,
             n.priority
            FROM (walk w_1
              CROSS JOIN LATERAL ( SELECT l.shape_id,
                     l.priority
                    FROM fleet.lanes l
                   WHERE (l.active AND (NOT l.paused) AND (l.rank >= _asked.p_floor) AND (ROW(l.shape_id, l.priority) > ROW(w_1.shape_id, w_1.priority)))
                   ORDER BY l.shape_id, l.priority
                  LIMIT 1) n)
         )
  SELECT w.shape_id,
     w.priority
    FROM (walk w
      CROSS JOIN LATERAL ( SELECT s_1.shape_id,
             s_1.gpus,
             s_1.vram_mib,
             s_1.cpu_milli,
             s_1.ram_mib,
             s_1.disk_mib,
             s_1.device,
             s_1.labels,
             s_1.kind,
             s_1.pools
            FROM fleet.shapes s_1
           WHERE (s_1.shape_id = w.shape_id)
          LIMIT 1) s)
   WHERE ((s.kind = ANY (_asked.p_kinds)) AND (NOT (EXISTS ( SELECT
            FROM fleet.kinds k
           WHERE ((k.kind = s.kind) AND k.quarantined)))) AND (_asked.p_anywhere OR fleet._suits(ROW(s.shape_id, s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind, s.pools), _asked.p_labels, _asked.p_pools)));
END;

--
-- Name: _asked_by_all(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._asked_by_all() RETURNS TABLE(shape_id bigint, priority fleet.priority)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <b598f27d87c71be9e9e53ad857333115>;

--
-- Name: _audit(text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._audit(p_act text, p_said jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <bec6e1c0ea81979989bff5710c465676>;

--
-- Name: _best_place(fleet.shapes, timestamp with time zone, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._best_place(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid) RETURNS TABLE(node_id bigint, free_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <eea3853c7aa5a6fddf00b2ffed7013e5>;

--
-- Name: _book(fleet.room, fleet.shapes, text[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._book(p_room fleet.room, p_shape fleet.shapes, p_places text[]) RETURNS fleet.room
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <dd65858c076bc617e6691f63abf183a4>;

--
-- Name: bookings; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.bookings (
    node_id bigint NOT NULL,
    held integer DEFAULT 0 NOT NULL,
    cpu_milli bigint DEFAULT 0 NOT NULL,
    disk_mib bigint DEFAULT 0 NOT NULL,
    idx integer[] DEFAULT '{}'::integer[] NOT NULL,
    mib integer[] DEFAULT '{}'::integer[] NOT NULL,
    sample_seq bigint DEFAULT 0 NOT NULL,
    request_id uuid,
    CONSTRAINT bookings_check CHECK ((cardinality(idx) = cardinality(mib))),
    CONSTRAINT bookings_held_check CHECK ((held >= 0))
)
WITH (fillfactor='20', autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE bookings; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.bookings IS 'What the leases of each node have booked. The row a claim locks.';

--
-- Name: COLUMN bookings.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.node_id IS 'The node.';

--
-- Name: COLUMN bookings.held; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.held IS 'How many leases.';

--
-- Name: COLUMN bookings.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.cpu_milli IS 'CPU of all of them.';

--
-- Name: COLUMN bookings.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.disk_mib IS 'Scratch space of all of them.';

--
-- Name: COLUMN bookings.idx; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.idx IS 'Devices on which something is booked.';

--
-- Name: COLUMN bookings.mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.mib IS 'How much on each of these, in the same order.';

--
-- Name: COLUMN bookings.sample_seq; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.sample_seq IS 'Of the last sample used in this session; an older one is refused.';

--
-- Name: COLUMN bookings.request_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.bookings.request_id IS 'The last claim that was given something: asked again, it gets the same answer.';

--
-- Name: _booked(fleet.bookings, fleet.room, fleet.room); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._booked(p_booked fleet.bookings, p_before fleet.room, p_room fleet.room) RETURNS fleet.bookings
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <386d70cdc176379687fe624164e6a758>;

--
-- Name: now(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.now() RETURNS timestamp with time zone
    LANGUAGE sql
    RETURN clock_timestamp();

--
-- Name: FUNCTION now(); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.now() IS 'The clock of the fleet.';

--
-- Name: projects; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.projects (
    project_id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    weight double precision DEFAULT 1 NOT NULL,
    trusted_pools text[],
    paused fleet.priority[] DEFAULT '{}'::fleet.priority[] NOT NULL,
    webhook_secret text NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    CONSTRAINT projects_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'::text)),
    CONSTRAINT projects_weight_check CHECK ((weight > (0)::double precision))
);

--
-- Name: TABLE projects; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.projects IS 'Tenants: every job, file and key belongs to one.';

--
-- Name: COLUMN projects.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.project_id IS 'Key.';

--
-- Name: COLUMN projects.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.name IS 'What people call it.';

--
-- Name: COLUMN projects.weight; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.weight IS 'Its share of the fleet, relative to the others.';

--
-- Name: COLUMN projects.trusted_pools; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.trusted_pools IS 'Its jobs run only on nodes of these pools; null: anywhere.';

--
-- Name: COLUMN projects.paused; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.paused IS 'Classes from which nothing is claimed.';

--
-- Name: COLUMN projects.webhook_secret; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.webhook_secret IS 'Signs webhooks (Standard Webhooks, whsec_...).';

--
-- Name: COLUMN projects.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.created_at IS 'When it was made.';

--
-- Name: _born_paused(fleet.projects, fleet.priority, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._born_paused(p_project fleet.projects, p_priority fleet.priority, p_kind text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <527c251b69c3ddbd55aec9224db527f7>;

--
-- Name: _broken(fleet.job_end, fleet.job_state, fleet.cause); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._broken(p_wants fleet.job_end, p_outcome fleet.job_state, p_cause fleet.cause) RETURNS fleet.job_state
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2ae4ec57247dfee3cf5d1bd7cdf26bbd>;

--
-- Name: _calibrated(timestamp with time zone, rehearsal.outcomes[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._calibrated(p_now timestamp with time zone, p_played rehearsal.outcomes[]) RETURNS TABLE(job_id uuid, start_s double precision, finish_s double precision, start_p50 timestamp with time zone, start_p90 timestamp with time zone, finish_p50 timestamp with time zone, finish_p90 timestamp with time zone)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a4facd64e70b0dd13889c4a2917e862d>;

--
-- Name: caps; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.caps (
    project_id uuid NOT NULL,
    max_running integer,
    max_vram_mib bigint,
    running integer DEFAULT 0 NOT NULL,
    vram_mib bigint DEFAULT 0 NOT NULL,
    kept_job uuid,
    kept_class fleet.priority,
    kept_key bigint,
    kept_mib bigint,
    kept_until timestamp with time zone,
    CONSTRAINT caps_max_running_check CHECK ((max_running >= 0)),
    CONSTRAINT caps_max_vram_mib_check CHECK ((max_vram_mib >= 0))
)
WITH (fillfactor='20', autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE caps; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.caps IS 'Projects that may not have all they ask for. A claim locks the row, or leaves the project to who has.';

--
-- Name: COLUMN caps.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.project_id IS 'The project.';

--
-- Name: COLUMN caps.max_running; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.max_running IS 'Most jobs at once; null: no cap.';

--
-- Name: COLUMN caps.max_vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.max_vram_mib IS 'Most booked VRAM over all devices; null: no cap.';

--
-- Name: COLUMN caps.running; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.running IS 'Leases that count, less those in cap_returns.';

--
-- Name: COLUMN caps.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.vram_mib IS 'Their booked VRAM.';

--
-- Name: COLUMN caps.kept_job; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.kept_job IS 'The first of its jobs that its own smaller work could pass for ever: what comes after it leaves it its part of the caps (I10).';

--
-- Name: COLUMN caps.kept_class; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.kept_class IS 'The class of that job; null: there is none.';

--
-- Name: COLUMN caps.kept_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.kept_key IS 'Its order_key.';

--
-- Name: COLUMN caps.kept_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.kept_mib IS 'VRAM it needs, over all devices.';

--
-- Name: COLUMN caps.kept_until; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.caps.kept_until IS 'Until when this holds: a minute after it was last seen that the job waits for its cap, or has a place.';

--
-- Name: _cap(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._cap(p_project uuid) RETURNS fleet.caps
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <8e968ba6f7fb9eca20884e2b1b498038>;

--
-- Name: _cap_for(fleet.caps, fleet.priority, bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._cap_for(p_cap fleet.caps, p_class fleet.priority, p_key bigint) RETURNS fleet.caps
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e01133bf37c6599b76d49222418c66b0>;

--
-- Name: _cap_now(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._cap_now(p_project uuid) RETURNS fleet.caps
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <0dd7ae3f8822ac1d6abd201d8e7dfa74>;

--
-- Name: _footprint(integer, integer, integer, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._footprint(p_gpus integer, p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    RETURN GREATEST((((((p_gpus * p_vram_mib))::numeric / 1024.0) + ((p_ram_mib)::numeric / 16384.0)) + ((p_cpu_milli)::numeric / 16000.0)), ((1)::numeric / 16000.0));

--
-- Name: _charge(fleet.shapes, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._charge(p_shape fleet.shapes, p_run_s double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    RETURN (fleet._footprint((p_shape).gpus, (p_shape).vram_mib, (p_shape).ram_mib, (p_shape).cpu_milli) * GREATEST(COALESCE(p_run_s, (60)::double precision), (0.001)::double precision));

--
-- Name: _check_ceiling(uuid, fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._check_ceiling(p_key uuid, p_items fleet.submission[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1f921026784d0fbce0614a14ef8c4e98>;

--
-- Name: _check_objects(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._check_objects(p_jobs jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <31308c69a9804a450db3b7cd327309c9>;

--
-- Name: _check_submissions(fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._check_submissions(p_items fleet.submission[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1585a22c85611498fa39ca85e34cfd39>;

--
-- Name: _claimed(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._claimed(p_jobs uuid[]) RETURNS json
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <00c810187f0c4b511bef2a433417d23b>;

--
-- Name: _claimed_before(uuid, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._claimed_before(p_session uuid, p_request uuid) RETURNS uuid[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <76d73aae871d162787fea2fc9923b353>;

--
-- Name: _count_in(fleet.caps, fleet.shapes, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._count_in(p_cap fleet.caps, p_shape fleet.shapes, p_jobs uuid[]) RETURNS fleet.caps
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <5d023498018b0ced273b1d542b2a253d>;

--
-- Name: _depend(uuid, uuid[], fleet.submission[], jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[], p_refs jsonb) RETURNS integer[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <8cb0675519198068e246fdd5b23509b2>;

--
-- Name: _durably(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._durably() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <dd17d9a285600e855a96d033faa748d4>;

--
-- Name: erasures; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.erasures (
    erasure_id uuid DEFAULT gen_random_uuid() NOT NULL,
    project_id uuid NOT NULL,
    key_id uuid,
    asked jsonb NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    state text DEFAULT 'finding'::text NOT NULL,
    wiped_to uuid,
    jobs bigint DEFAULT 0 NOT NULL,
    cancelled bigint DEFAULT 0 NOT NULL,
    files bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    shared bigint DEFAULT 0 NOT NULL,
    schedules bigint DEFAULT 0 NOT NULL,
    digest text,
    wiped_at timestamp with time zone,
    stored_at timestamp with time zone,
    done_at timestamp with time zone,
    CONSTRAINT erasures_state_check CHECK ((state = ANY (ARRAY['finding'::text, 'ending'::text, 'wiping'::text, 'removing'::text, 'done'::text])))
);

--
-- Name: TABLE erasures; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.erasures IS 'Receipts: what was to be gone, and whether it is. Kept for ever.';

--
-- Name: COLUMN erasures.erasure_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.erasure_id IS 'Key.';

--
-- Name: COLUMN erasures.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.project_id IS 'Whose files.';

--
-- Name: COLUMN erasures.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.key_id IS 'The API key that asked.';

--
-- Name: COLUMN erasures.asked; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.asked IS '{files: [sha256]}, {tags: {name: text}} or {everything: true}; the names of files go when it is done.';

--
-- Name: COLUMN erasures.asked_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.asked_at IS 'When. What is uploaded or submitted later is not meant.';

--
-- Name: COLUMN erasures.state; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.state IS 'finding what is meant; ending jobs that would use it; wiping what they said; removing files; done.';

--
-- Name: COLUMN erasures.wiped_to; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.wiped_to IS 'The last job that was wiped.';

--
-- Name: COLUMN erasures.jobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.jobs IS 'Jobs that used or made any of it.';

--
-- Name: COLUMN erasures.cancelled; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.cancelled IS 'Those of them that had not ended.';

--
-- Name: COLUMN erasures.files; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.files IS 'Files that are to go.';

--
-- Name: COLUMN erasures.bytes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.bytes IS 'Their size.';

--
-- Name: COLUMN erasures.shared; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.shared IS 'Files that were left, since jobs without these tags read them too.';

--
-- Name: COLUMN erasures.schedules; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.schedules IS 'Schedules that named any of it, and went.';

--
-- Name: COLUMN erasures.digest; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.digest IS 'sha256 over the sorted sha256s of the files, one a line, by which somebody who has the list can prove it.';

--
-- Name: COLUMN erasures.wiped_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.wiped_at IS 'When the last word of these jobs was gone from the database.';

--
-- Name: COLUMN erasures.stored_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.stored_at IS 'When the last file was gone from the store.';

--
-- Name: COLUMN erasures.done_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasures.done_at IS 'When the last node had said that it has nothing of it.';

--
-- Name: _end_on(fleet.erasures, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._end_on(p_erasure fleet.erasures, p_limit integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <6893112d92389c509320d549546a376a>;

--
-- Name: _enqueue(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._enqueue(p_jobs uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <4d19f424452aa260a91850adac111222>;

--
-- Name: _erasing(bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._erasing(p_node bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2eec1c9d863b73a0506bc9411a1789c3>;

--
-- Name: _expire_blobs(timestamp with time zone, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._expire_blobs(p_before timestamp with time zone, p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <8d7ef18da79b6297d7b2d2a43967cc13>;

--
-- Name: _find_erased(fleet.erasures, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._find_erased(p_erasure fleet.erasures, p_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <c2ca7e45ca06854e178a5dcd4ff38aa6>;

--
-- Name: _find_on(fleet.erasures, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._find_on(p_erasure fleet.erasures, p_limit integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <76405cd715421a2fef14da2c84aec2eb>;

--
-- Name: _fit_needs(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._fit_needs(p_needs bigint[]) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1a9c2a339afd61901a9d1191a53748e1>;

--
-- Name: _forget_plain(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._forget_plain() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1709538824b1e63b87f6c2a5a58f0228>;

--
-- Name: _free_times(fleet.shapes, timestamp with time zone, uuid, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._free_times(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid, p_most integer DEFAULT 200) RETURNS TABLE(node_id bigint, session_id uuid, free_at timestamp with time zone, size_mib bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <c7a862f56427c710ef06c3c4f7c217d9>;

--
-- Name: _held(boolean, boolean, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._held(p_halted boolean, p_quarantined boolean, p_paused boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN p_halted THEN 'halted'::text WHEN p_quarantined THEN 'quarantined'::text WHEN p_paused THEN 'paused'::text ELSE NULL::text END;

--
-- Name: _hold_needs(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._hold_needs(p_needs bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <476d270485ffc8133cee072babd5561d>;

--
-- Name: _id_of(bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._id_of(p_us bigint) RETURNS uuid
    LANGUAGE sql
    RETURN ((((lpad(to_hex((p_us / 1000)), 12, '0'::text) || to_hex(((7 << 12) | (((p_us % (1000)::bigint) * 4))::integer))) || '8'::text) || lpad(to_hex((floor((random() * '1.152921504606847e+18'::double precision)))::bigint), 15, '0'::text)))::uuid;

--
-- Name: _idx(integer[], integer[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._idx(p_idx integer[], p_places integer[]) RETURNS integer[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <07f25bbef2da34a6c25cd13409d50af1>;

--
-- Name: _in(timestamp with time zone, double precision, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._in(p_now timestamp with time zone, p_s double precision, p_off double precision) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    RETURN (p_now + make_interval(secs => GREATEST((0)::double precision, (((GREATEST((0)::double precision, p_s) + (5)::double precision) * exp(p_off)) - (5)::double precision))));

--
-- Name: api_keys; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.api_keys (
    key_id uuid DEFAULT gen_random_uuid() NOT NULL,
    project_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    ceiling fleet.priority DEFAULT 'high'::fleet.priority NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_scopes_check CHECK (((scopes <@ ARRAY['submit'::text, 'read'::text, 'erase'::text, 'metrics'::text, 'admin'::text]) AND (cardinality(scopes) > 0)))
);

--
-- Name: TABLE api_keys; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.api_keys IS 'Keys of the REST API; the key itself is not stored.';

--
-- Name: COLUMN api_keys.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.key_id IS 'Key of the row.';

--
-- Name: COLUMN api_keys.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.project_id IS 'The project it speaks for.';

--
-- Name: COLUMN api_keys.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.name IS 'For people.';

--
-- Name: COLUMN api_keys.prefix; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.prefix IS 'The first, public part of the key.';

--
-- Name: COLUMN api_keys.hash; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.hash IS 'sha256 of the whole key (256 random bits, so a slow hash would add nothing).';

--
-- Name: COLUMN api_keys.scopes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.scopes IS 'submit, read, erase, metrics, admin.';

--
-- Name: COLUMN api_keys.ceiling; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.ceiling IS 'The highest class it may submit to.';

--
-- Name: COLUMN api_keys.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.created_at IS 'When it was made.';

--
-- Name: COLUMN api_keys.expires_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.expires_at IS 'From when on it is useless; null: never.';

--
-- Name: COLUMN api_keys.revoked_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.revoked_at IS 'Since when it is useless; null: in force.';

--
-- Name: _in_force(fleet.api_keys, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._in_force(p_key fleet.api_keys, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (((p_key).revoked_at IS NULL) AND (((p_key).expires_at IS NULL) OR ((p_key).expires_at > p_now)));

--
-- Name: _items(fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._items(p_items fleet.submission[]) RETURNS TABLE(place bigint, kind text, params jsonb, name text, ref text, priority fleet.priority, need jsonb, inputs jsonb, after jsonb, run_at timestamp with time zone, start_by timestamp with time zone, timeout_s bigint, retries bigint, exclusive boolean, preemptible boolean, webhook text, tags jsonb)
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
 SELECT i.place,
     i.kind,
     i.params,
     i.name,
     i.ref,
     i.priority,
     i.need,
     i.inputs,
     i.after,
     i.run_at,
     i.start_by,
     i.timeout_s,
     i.retries,
     i.exclusive,
     i.preemptible,
     i.webhook,
     i.tags
    FROM unnest(_items.p_items) WITH ORDINALITY i(kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive, preemptible, webhook, tags, place);
END;

--
-- Name: _judge_forecasts(timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._judge_forecasts(p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <7d7efa729e1ac294d92e0b692826e167>;

--
-- Name: _judge_node(uuid, uuid[], timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <42d82d88e6a836e7babd14b3b9a79fcd>;

--
-- Name: _keep_caps(timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._keep_caps(p_now timestamp with time zone, p_since timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <77e39042d8b3584b19c1347a9d89ae25>;

--
-- Name: _keep_no_caps(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._keep_no_caps() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <5a2b9537cf7fc5b14eb766528c4eee57>;

--
-- Name: _keep_still(uuid, fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._keep_still(p_project uuid, p_items fleet.submission[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e4388d9c93efb075f2907c63c135f162>;

--
-- Name: _kept(bigint, uuid, fleet.room); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._kept(p_node bigint, p_session uuid, p_room fleet.room) RETURNS fleet.kept
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <b744600a16633991295a8853a171c2cc>;

--
-- Name: _kept_still(fleet.caps); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._kept_still(p_cap fleet.caps) RETURNS fleet.caps
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a2cdd7aa49f6d066e2783fbc9b5ba15c>;

--
-- Name: _key(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._key(p_key uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1623a52acf17e1362e8f6a3013931e72>;

--
-- Name: _key_named(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._key_named(p_prefix text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <155d56a98fd9430cbcba8e527597c7f7>;

--
-- Name: _lanes_for(uuid, fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._lanes_for(p_project uuid, p_items fleet.submission[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <00c1ad9971f7231cd57ebd2c66663bd6>;

--
-- Name: _learned(integer, integer[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._learned(p_before integer, p_peaks integer[]) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <5dee82c60c7fc0223b3497657be9cc7d>;

--
-- Name: _learning_with(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._learning_with(p_needs bigint[]) RETURNS bigint[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <348fb0cfb9953445514f4c7a7517923b>;

--
-- Name: _lease(uuid, uuid, bigint, fleet.bookings, integer[], bigint, uuid[], fleet.taken[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._lease(p_session uuid, p_request uuid, p_seq bigint, p_booked fleet.bookings, p_idx integer[], p_era bigint, p_jobs uuid[], p_taken fleet.taken[]) RETURNS json
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_nestloop TO 'off'
    AS <8e4d9a4b09a90f5861307b7da6b477b5>;

--
-- Name: _least(fleet.room, fleet.room); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._least(p_one fleet.room, p_other fleet.room) RETURNS fleet.room
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2aebd0422902355a3ad8caa59024bd29>;

--
-- Name: _live_nodes(timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._live_nodes(p_now timestamp with time zone) RETURNS TABLE(node_id bigint, session_id uuid, kinds text[], labels jsonb, pools text[])
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <d1ddffeec7823a50b181e3b69d4b8251>;

--
-- Name: _lost_items(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._lost_items(p_sessions uuid[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <496b09aeda0f29d9103eb7e9398821c0>;

--
-- Name: _low_waits_for_nobody(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._low_waits_for_nobody() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <d275440667467dc954cf8838e0a98774>;

--
-- Name: _matching(uuid, text[], jsonb, uuid, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._matching(p_project uuid, p_states text[], p_filter jsonb, p_after uuid, p_limit integer) RETURNS TABLE(job_id uuid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e3289b7d5ae60554bdbc8b2240651b89>;

--
-- Name: _measure(uuid, integer, integer, fleet.bookings, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._measure(p_session uuid, p_slots integer, p_cpu_milli integer, p_booked fleet.bookings, p_sample jsonb) RETURNS fleet.room
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <df1d033cfbbd8063f766aa0052098c51>;

--
-- Name: _mib(numeric); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._mib(p_mib numeric) RETURNS integer
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (p_mib IS NOT NULL) THEN (LEAST(GREATEST(p_mib, (0)::numeric), (16777216)::numeric))::integer ELSE NULL::integer END;

--
-- Name: _named_files(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._named_files(p_inputs jsonb) RETURNS TABLE(sha256 text)
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
 SELECT (i.file ->> 'sha256'::text)
    FROM jsonb_each(
         CASE
             WHEN (jsonb_typeof(_named_files.p_inputs) = 'object'::text) THEN _named_files.p_inputs
             ELSE NULL::jsonb
         END) i(name, file)
   WHERE (i.file ? 'sha256'::text);
END;

--
-- Name: _next_turn(bigint[], fleet.priority[], fleet.priority, double precision, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._next_turn(p_shapes bigint[], p_classes fleet.priority[], p_class fleet.priority, p_rank double precision, p_gone uuid) RETURNS TABLE(project_id uuid, rank double precision)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT l.project_id,
     l.rank
    FROM (UNNEST(_next_turn.p_shapes, _next_turn.p_classes) f(shape_id, priority)
      CROSS JOIN LATERAL ( SELECT l_1.project_id,
             l_1.rank
            FROM fleet.lanes l_1
           WHERE (l_1.active AND (NOT l_1.paused) AND (l_1.shape_id = f.shape_id) AND (l_1.priority = f.priority) AND (ROW(l_1.rank, l_1.project_id) > ROW(_next_turn.p_rank, _next_turn.p_gone)))
           ORDER BY l_1.rank, l_1.project_id
          LIMIT 1) l)
   WHERE (f.priority = _next_turn.p_class)
   ORDER BY l.rank, l.project_id
  LIMIT 1;
END;

--
-- Name: _no_file_name(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._no_file_name(p_inputs jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a2d783644a83b3f586e98a6d985ffcfe>;

--
-- Name: _note_plain(uuid, fleet.kinds, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._note_plain(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <fc321afaedbe0567ca0982f8688396bf>;

--
-- Name: _note_sample(bigint, jsonb, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._note_sample(p_node bigint, p_sample jsonb, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <34fc8a775c69db707409861ed10eefa7>;

--
-- Name: _off(text, integer, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._off(p_what text, p_class integer, p_share double precision) RETURNS double precision
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <98dd4389aba4659d493413233e836a2d>;

--
-- Name: _passable(fleet.shapes, fleet.shapes); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._passable(p_shape fleet.shapes, p_smallest fleet.shapes) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN COALESCE((((p_smallest).gpus < (p_shape).gpus) OR (((p_shape).gpus > 0) AND ((p_smallest).vram_mib < (p_shape).vram_mib)) OR ((p_smallest).cpu_milli < (p_shape).cpu_milli) OR ((p_smallest).ram_mib < (p_shape).ram_mib) OR ((p_smallest).disk_mib < (p_shape).disk_mib)), false);

--
-- Name: _place(fleet.room, fleet.shapes); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._place(p_room fleet.room, p_shape fleet.shapes) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <3423926e7b8a79ad83763866521cfb9b>;

--
-- Name: _places(fleet.room, fleet.shapes, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._places(p_room fleet.room, p_shape fleet.shapes, p_most integer) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <22aad2ae55021014e9e655775d2f6610>;

--
-- Name: _plain_lane(uuid, fleet.kinds, text, text, uuid, bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._plain_lane(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text, p_key uuid, p_order bigint, OUT lane_id bigint, OUT open boolean, OUT idle boolean, OUT held text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <55e41816b1eb5591ce9518f2851af26e>;

--
-- Name: _preempt(fleet.shapes, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._preempt(p_shape fleet.shapes, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <c676783ea41f213fab20cd87dc686ecc>;

--
-- Name: _publish(uuid[], uuid[], jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._publish(p_succeeded uuid[], p_tokens uuid[], p_items jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <3bcfeaceadaa5c1c3a04511825def468>;

--
-- Name: _quantised(double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._quantised(p_mib double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <f95cd6f591e74ca8b0210ea25a32030d>;

--
-- Name: _raise(fleet.rung[], timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._raise(p_rungs fleet.rung[], p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <3288f0e2498d0f7b1a0d266ac434516b>;

--
-- Name: _rank(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._rank() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS <c66e2f6a196dc0fde57177af90d67980>;

--
-- Name: _rank_of(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._rank_of(p_project uuid) RETURNS double precision
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <0ddf5b66c361b2a34d6aeb1ee509ffb0>;

--
-- Name: _read_from(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._read_from(p_inputs jsonb) RETURNS uuid[]
    LANGUAGE sql IMMUTABLE
    RETURN ARRAY(SELECT ((i.input ->> 'job'::text))::uuid AS uuid FROM jsonb_each(_read_from.p_inputs) i(name, input) WHERE (i.input ? 'job'::text));

--
-- Name: _refs(fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._refs(p_items fleet.submission[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2f810cb0bd8799c16a8f00be8b10399e>;

--
-- Name: _remove_on(fleet.erasures, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._remove_on(p_erasure fleet.erasures, p_limit integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <731c237a63df647596de3873ee6fd5df>;

--
-- Name: _repool(uuid, text[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._repool(p_project uuid, p_pools text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <7a40d68d1eb0d6cad4a1f8b91cc4d795>;

--
-- Name: _requeue(uuid, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._requeue(p_project uuid, p_jobs uuid[]) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <55dc60eaba89b0eb557d5beb01e6857f>;

--
-- Name: _reserve(uuid, text, bigint, text, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._reserve(p_project uuid, p_sha256 text, p_size bigint, p_media_type text, p_job uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <498a535f29e067469a99fbf2236cc4ad>;

--
-- Name: _reshape(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._reshape(p_needs bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <0e7ead6bce2871db7cef93c84327c5fe>;

--
-- Name: _resolve(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._resolve(p_ended uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS <c4506568e1220c395fb2e7a33caf307b>;

--
-- Name: _retire(bigint[], timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._retire(p_lanes bigint[], p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <f31b3d36bc693b099703a53917595cad>;

--
-- Name: _retire_lanes(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._retire_lanes(p_limit integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <785aa6e070377a1e60e1216e7b431c3d>;

--
-- Name: _room_then(bigint, uuid, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._room_then(p_node bigint, p_session uuid, p_at timestamp with time zone) RETURNS fleet.room
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <fec6554adac858da92e681b756e54e9d>;

--
-- Name: _roomy(fleet.room, bigint[], fleet.priority[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._roomy(p_room fleet.room, p_shapes bigint[], p_classes fleet.priority[]) RETURNS TABLE(shape_id bigint, priority fleet.priority)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT a.shape_id,
     a.priority
    FROM ((UNNEST(_roomy.p_shapes, _roomy.p_classes) a(shape_id, priority)
      CROSS JOIN LATERAL ( SELECT s_1.shape_id,
             s_1.gpus,
             s_1.vram_mib,
             s_1.cpu_milli,
             s_1.ram_mib,
             s_1.disk_mib,
             s_1.device,
             s_1.labels,
             s_1.kind,
             s_1.pools
            FROM fleet.shapes s_1
           WHERE (s_1.shape_id = a.shape_id)
          LIMIT 1) s)
      CROSS JOIN ( SELECT ARRAY( SELECT c.mib
                    FROM UNNEST((_roomy.p_room).claimable, (_roomy.p_room).takes) c(mib, takes)
                   WHERE c.takes
                   ORDER BY c.mib DESC) AS mib) big)
   WHERE ((s.cpu_milli <= (_roomy.p_room).cpu_milli) AND (s.disk_mib <= (_roomy.p_room).disk_mib) AND (s.ram_mib <= (_roomy.p_room).claimable[cardinality((_roomy.p_room).claimable)]) AND ((s.gpus = 0) OR (s.vram_mib <= big.mib[s.gpus])));
END;

--
-- Name: _rouse(bigint[], bigint, integer, text[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._rouse(p_shapes bigint[], p_most bigint, p_look integer, p_models text[]) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <700a353e02d8fdf6a90ce20565eedaf1>;

--
-- Name: _rouse_for(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._rouse_for(p_lanes bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS <fae5cb0cdd80471a27096519dbaf8260>;

--
-- Name: _rungs(uuid, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._rungs(p_session uuid, p_items jsonb) RETURNS fleet.rung[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <4aed325ec9d9a0d88a0075e2e163a9fe>;

--
-- Name: rankings; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.rankings (
    era bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    floor double precision NOT NULL,
    scale double precision NOT NULL,
    low_first boolean NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE rankings; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.rankings IS 'The last few rounds of ranking.';

--
-- Name: COLUMN rankings.era; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.rankings.era IS 'Key; the greatest is in force.';

--
-- Name: COLUMN rankings.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.rankings.at IS 'When.';

--
-- Name: COLUMN rankings.floor; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.rankings.floor IS 'No active lane has a smaller rank.';

--
-- Name: COLUMN rankings.scale; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.rankings.scale IS 'Rank per GiB x second charged now: old use is not made smaller, new use is made greater.';

--
-- Name: COLUMN rankings.low_first; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.rankings.low_first IS 'Class low has had less than its minimum share: each claim takes one job of it first.';

--
-- Name: _scale_at(fleet.rankings, timestamp with time zone, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._scale_at(p_last fleet.rankings, p_now timestamp with time zone, p_half_life_s double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    RETURN ((p_last).scale * ((2)::double precision ^ LEAST((300)::double precision, ((GREATEST((0)::numeric, EXTRACT(epoch FROM (p_now - (p_last).at))))::double precision / p_half_life_s))));

--
-- Name: _served(bigint[], timestamp with time zone, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._served(p_shapes bigint[], p_now timestamp with time zone, p_free boolean) RETURNS bigint[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <c5794996114053ef5930b791c2c6f9b5>;

--
-- Name: sessions; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.sessions (
    session_id uuid DEFAULT gen_random_uuid() NOT NULL,
    node_id bigint NOT NULL,
    instance text NOT NULL,
    boot text NOT NULL,
    version text NOT NULL,
    kinds text[] NOT NULL,
    slots integer NOT NULL,
    secret_hash bytea NOT NULL,
    joined_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT sessions_slots_check CHECK ((slots >= 1))
)
WITH (autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: TABLE sessions; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.sessions IS 'One row per boot of an agent.';

--
-- Name: COLUMN sessions.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.session_id IS 'Key.';

--
-- Name: COLUMN sessions.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.node_id IS 'Its node.';

--
-- Name: COLUMN sessions.instance; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.instance IS 'Of the agent''s state folder: a restart has the same, a second machine another.';

--
-- Name: COLUMN sessions.boot; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.boot IS 'pid and start time of the agent.';

--
-- Name: COLUMN sessions.version; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.version IS 'Of the agent.';

--
-- Name: COLUMN sessions.kinds; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.kinds IS 'What it can run.';

--
-- Name: COLUMN sessions.slots; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.slots IS 'Most jobs at once.';

--
-- Name: COLUMN sessions.secret_hash; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.secret_hash IS 'sha256 of the secret join gave out.';

--
-- Name: COLUMN sessions.joined_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.joined_at IS 'Start.';

--
-- Name: COLUMN sessions.ended_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.ended_at IS 'End; null while it lasts.';

--
-- Name: COLUMN sessions.end_reason; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.end_reason IS 'left, rejoined or silent.';

--
-- Name: _session(uuid, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._session(p_session uuid, p_secret text) RETURNS fleet.sessions
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <31551fc259aeeec24c7429080185c076>;

--
-- Name: _set_cap(uuid, integer, bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._set_cap(p_project uuid, p_max_running integer, p_max_vram_mib bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a38279a3079faabbfaa7e7d3b57b7b69>;

--
-- Name: _settle(uuid, jsonb, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._settle(p_session uuid, p_items jsonb, p_verdict text, p_by text) RETURNS json
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <c18566eabfac0d8438bfb6a0c45ddabf>;

--
-- Name: _settled_before(uuid, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._settled_before(p_job uuid, p_token uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <ebe4ae30c1b1d56a56102c9a80e51fa2>;

--
-- Name: _shapes_now(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._shapes_now(p_needs bigint[]) RETURNS TABLE(need_id bigint, fits boolean, gpus integer, vram_mib integer, cpu_milli integer, ram_mib integer, disk_mib integer, device text, labels jsonb, kind text, pools text[])
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <fabbc9d1d5dabe7f4a857c97973769af>;

--
-- Name: _sister_lane(bigint, fleet.priority); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._sister_lane(p_lane bigint, p_priority fleet.priority) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <bcc5f672db5c95372bffa01d41ee1339>;

--
-- Name: _size_key(text[], jsonb, integer, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._size_key(p_names text[], p_params jsonb, p_gpus integer, p_usual_gpus integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e861e574037eac1d99e0c3d86c75682e>;

--
-- Name: _size_of(fleet.kinds, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._size_of(p_kind fleet.kinds, p_params jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN ((p_kind).size_params = '{}'::text[]) THEN ''::text ELSE fleet._size_key((p_kind).size_params, p_params, (p_kind).gpus, (p_kind).gpus) END;

--
-- Name: _sleep(uuid, timestamp with time zone, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._sleep(p_session uuid, p_joined_at timestamp with time zone, p_sample jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <5146abd83b25224f26e8f16079ff1e87>;

--
-- Name: _smallest(bigint[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._smallest(p_shapes bigint[]) RETURNS fleet.shapes
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <9492aa99eb2cdb8442b174d43e45ba60>;

--
-- Name: _starving(timestamp with time zone, timestamp with time zone, integer, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._starving(p_now timestamp with time zone, p_since timestamp with time zone, p_lanes integer, p_most integer) RETURNS TABLE(job_id uuid, lane_id bigint, shape_id bigint, priority fleet.priority, cap fleet.caps)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <441a2791f4b763f1a918f9818296622a>;

--
-- Name: _submit_one(uuid, jsonb, uuid, text, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._submit_one(p_project uuid, p_job jsonb, p_key uuid, p_trace text, p_now timestamp with time zone) RETURNS json
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <0c94601574393efdb204f12baef55ad9>;

--
-- Name: _submit_plain(uuid, uuid[], jsonb, uuid, text, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._submit_plain(p_project uuid, p_ids uuid[], p_jobs jsonb, p_key uuid, p_trace text, p_now timestamp with time zone) RETURNS json
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <25967769be6ef46b4c6ba995da7eac7e>;

--
-- Name: _succeed(uuid, jsonb, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._succeed(p_session uuid, p_items jsonb, p_by text) RETURNS json
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <54fb2b77ffe0523e5c0a8497d3b48e59>;

--
-- Name: _take(bigint, bigint, bigint, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._take(p_lane bigint, p_head bigint, p_bound bigint, p_most integer, OUT jobs uuid[], OUT next bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <3556271a224fe080c2e7d861863bdb79>;

--
-- Name: _take_one(uuid, bigint, bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._take_one(p_job uuid, p_lane bigint, p_order_key bigint) RETURNS uuid[]
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e9c4f07158e2bf3f9dae961eadacc754>;

--
-- Name: _tell(timestamp with time zone, rehearsal.outcomes[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._tell(p_now timestamp with time zone, p_played rehearsal.outcomes[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <6b15a5957303f2e792dac02b1584d2d8>;

--
-- Name: progress; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.progress (
    job_id uuid NOT NULL,
    token uuid NOT NULL,
    step bigint,
    total bigint,
    message text,
    metrics jsonb,
    metrics_step bigint,
    log_bytes bigint DEFAULT 0 NOT NULL,
    at timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE progress; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.progress IS 'How far running attempts are; the row goes with the attempt.';

--
-- Name: COLUMN progress.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.job_id IS 'The job.';

--
-- Name: COLUMN progress.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.token IS 'The attempt.';

--
-- Name: COLUMN progress.step; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.step IS 'Steps done.';

--
-- Name: COLUMN progress.total; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.total IS 'Steps to do, if known.';

--
-- Name: COLUMN progress.message; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.message IS 'For people.';

--
-- Name: COLUMN progress.metrics; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.metrics IS 'Latest value of each metric.';

--
-- Name: COLUMN progress.metrics_step; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.metrics_step IS 'At this step.';

--
-- Name: COLUMN progress.log_bytes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.log_bytes IS 'Log text kept so far.';

--
-- Name: COLUMN progress.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.at IS 'When it was said.';

--
-- Name: _told(fleet.progress); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._told(p_progress fleet.progress) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN jsonb_build_object('step', (p_progress).step, 'total', (p_progress).total, 'message', (p_progress).message, 'metrics', (p_progress).metrics, 'metrics_step', (p_progress).metrics_step, 'at', (p_progress).at);

--
-- Name: _top_mib(fleet.shapes, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._top_mib(p_shape fleet.shapes, p_memory text) RETURNS integer
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <83a3aff247c202dc1cf53835b303c6f6>;

--
-- Name: _unbook(fleet.booking[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._unbook(p_freed fleet.booking[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <bd958e91306d70c4c3c2f90d1317740d>;

--
-- Name: _under_cap(fleet.caps, fleet.shapes); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._under_cap(p_cap fleet.caps, p_shape fleet.shapes) RETURNS integer
    LANGUAGE sql IMMUTABLE
    RETURN (LEAST((((p_cap).max_running - (p_cap).running))::bigint, CASE WHEN (((p_cap).max_vram_mib IS NOT NULL) AND (((p_shape).gpus * (p_shape).vram_mib) > 0)) THEN LEAST((2147483647)::bigint, GREATEST((0)::bigint, (((p_cap).max_vram_mib - (p_cap).vram_mib) / ((p_shape).gpus * (p_shape).vram_mib)))) ELSE NULL::bigint END))::integer;

--
-- Name: _wait_class(double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._wait_class(p_s double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE
    RETURN width_bucket(p_s, ARRAY[(15)::double precision, (120)::double precision, (600)::double precision, (3600)::double precision]);

--
-- Name: _wanted(fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._wanted(p_items fleet.submission[]) RETURNS TABLE(place bigint, kind text, model_key text, size_key text, stated boolean, priority fleet.priority, gpus integer, vram_mib integer, cpu_milli integer, ram_mib integer, disk_mib integer, device text, labels jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT i.place,
     i.kind,
     COALESCE((i.params ->> k.model_param), ''::text) AS "coalesce",
         CASE
             WHEN ((k.size_params = '{}'::text[]) AND (g.gpus = k.gpus)) THEN ''::text
             ELSE fleet._size_key(k.size_params, i.params, g.gpus, k.gpus)
         END AS _size_key,
     ((i.need ->>
         CASE
             WHEN (g.gpus = 0) THEN 'ram_mib'::text
             ELSE 'vram_mib'::text
         END) IS NOT NULL),
     COALESCE(i.priority, 'normal'::fleet.priority) AS "coalesce",
     g.gpus,
         CASE
             WHEN (g.gpus = 0) THEN 0
             ELSE COALESCE(((i.need ->> 'vram_mib'::text))::integer, k.vram_mib)
         END AS "coalesce",
     COALESCE(((i.need ->> 'cpu_milli'::text))::integer, k.cpu_milli) AS "coalesce",
     COALESCE(((i.need ->> 'ram_mib'::text))::integer, k.ram_mib) AS "coalesce",
     COALESCE(((i.need ->> 'disk_mib'::text))::integer, k.disk_mib) AS "coalesce",
     COALESCE((i.need ->> 'device'::text), k.device) AS "coalesce",
     COALESCE(NULLIF((i.need -> 'labels'::text), 'null'::jsonb), '{}'::jsonb) AS "coalesce"
    FROM ((fleet._items(_wanted.p_items) i(place, kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive, preemptible, webhook, tags)
      JOIN fleet.kinds k ON ((k.kind = i.kind)))
      CROSS JOIN LATERAL ( SELECT COALESCE(((i.need ->> 'gpus'::text))::integer, k.gpus) AS gpus) g);
END;

--
-- Name: _warm_key(uuid, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._warm_key(p_project uuid, p_kind text, p_model text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (((((p_project)::text || '/'::text) || p_kind) || '/'::text) || p_model);

--
-- Name: _warm_keys(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._warm_keys(p_sample jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a8a47d059927f1b695f646def9e294c3>;

--
-- Name: _warm_lanes(jsonb, bigint[], integer[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._warm_lanes(p_sample jsonb, p_lanes bigint[], p_used integer[]) RETURNS TABLE(lane_id bigint, runner integer, devices text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <6713d3b19b14c660c8920b9a342d1b3d>;

--
-- Name: _warm_places(fleet.room, fleet.shapes, bigint, bigint[], integer[], text[], integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._warm_places(p_room fleet.room, p_shape fleet.shapes, p_lane bigint, p_lanes bigint[], p_runners integer[], p_devices text[], p_most integer, OUT places text[], OUT runners integer[]) RETURNS record
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <22b8107ee8276c0cf9c49c462b15d3f5>;

--
-- Name: _wipe_on(fleet.erasures, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._wipe_on(p_erasure fleet.erasures, p_limit integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <639a31123b5c8a5606d21ca4381c06f8>;

--
-- Name: amend_v1(uuid, uuid, jsonb, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.amend_v1(p_project uuid, p_job uuid, p_fields jsonb, p_key uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <59e8b93a233500eaa5f022da4e3868b5>;

--
-- Name: authenticate_v1(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.authenticate_v1(p_key text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <c162a551df8c9b4755b8e1cd7d3ea736>;

--
-- Name: blobs_removed_v1(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.blobs_removed_v1(p_blobs jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <ed90842d50c28e74db981ee4d68b1318>;

--
-- Name: bulk_v1(text, uuid, jsonb, boolean, integer, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.bulk_v1(p_action text, p_project uuid, p_filter jsonb, p_dry boolean DEFAULT false, p_limit integer DEFAULT 500, p_after uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <43f0c17434f1ea26cd6adb6a396cb300>;

--
-- Name: cancel_v1(uuid, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <5d443f551ffa8a6530adf5e8911b3993>;

--
-- Name: checkpoint_v1(uuid, text, uuid, uuid, text, bigint, bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <c4b2ef4be09b4446364d13bf861debb1>;

--
-- Name: claim_v1(uuid, text, uuid, jsonb, integer, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean DEFAULT false) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <5f6f87604526ce3e1bc858a52f38512c>;

--
-- Name: complete_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <43d575026761bfd56911f0fb462c0abd>;

--
-- Name: configure_v1(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.configure_v1(p_settings jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <a613bffcedb2fb229f1b2d6d87afbb9d>;

--
-- Name: create_key_v1(text, text, jsonb, text, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb, p_ceiling text DEFAULT 'high'::text, p_for_s double precision DEFAULT NULL::double precision) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <039918141c70122072c9bc95387603ef>;

--
-- Name: create_schedule_v1(uuid, jsonb, timestamp with time zone, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.create_schedule_v1(p_project uuid, p_schedule jsonb, p_next timestamp with time zone, p_key uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <025fe9654832908ecc6f9070e88adbbe>;

--
-- Name: delete_schedule_v1(uuid, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.delete_schedule_v1(p_project uuid, p_name text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <fe651f43ffc7b830e2d61eafa596a3e5>;

--
-- Name: drain_v1(text, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.drain_v1(p_node text, p_on boolean) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <f91bacc3583c61a6a468b95a66c67e0b>;

--
-- Name: due_schedules_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.due_schedules_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <ca07b2e81fb187dbf981a13316686b94>;

--
-- Name: due_webhooks_v1(integer, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <b485974789d2746fe6e50f09ef4079b1>;

--
-- Name: enable_schedule_v1(uuid, text, boolean, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.enable_schedule_v1(p_project uuid, p_name text, p_enabled boolean, p_next timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <512ef15b73f2da1409a9d6dbbb2797ea>;

--
-- Name: erase_on_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.erase_on_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <3b48b70024c77e5025ac67407a217706>;

--
-- Name: erase_v1(uuid, jsonb, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.erase_v1(p_project uuid, p_what jsonb, p_key uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <036873104c1b9f80e2e2b07c405f2869>;

--
-- Name: erased_v1(uuid, text, uuid, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.erased_v1(p_session uuid, p_secret text, p_erasure uuid, p_dropped jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <057ca947aecd7ebbde87befd49b50b4c>;

--
-- Name: erasures_v1(uuid, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.erasures_v1(p_session uuid, p_secret text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <ae0967acf89cf72dd88fbffe95380183>;

--
-- Name: eta_v1(uuid, uuid, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision DEFAULT 10) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <71708e101ce959fdf838e28b1357177f>;

--
-- Name: event_id(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.event_id() RETURNS bigint
    LANGUAGE sql
    RETURN ((EXTRACT(epoch FROM clock_timestamp()) * (1000000)::numeric))::bigint;

--
-- Name: FUNCTION event_id(); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.event_id() IS 'The next event of a job: microseconds since 1970.';

--
-- Name: fail_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <65437b018983d8e56ce84e54631424e5>;

--
-- Name: fit_v1(uuid, jsonb, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.fit_v1(p_project uuid, p_jobs jsonb, p_key uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <790f1b05bc3fa4cd95dd5194b879428f>;

--
-- Name: forecast_v1(double precision, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.forecast_v1(p_max_age_s double precision, p_wanted uuid[] DEFAULT '{}'::uuid[]) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <b09bada7f2062c8cbcaefb19dbb972bc>;

--
-- Name: grant_v1(uuid, text, uuid, uuid, text, boolean, bigint, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint DEFAULT 0, p_media_type text DEFAULT 'application/octet-stream'::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <172963e7c95520b5ebef342d55ce178a>;

--
-- Name: halt_v1(boolean, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.halt_v1(p_on boolean, p_reason text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2db89bc06210456bcd5cc9f038ac2d09>;

--
-- Name: health_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.health_v1(p_session uuid, p_secret text, p_sample jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2c6431ce4af9c3bbb0cd80985e3517a5>;

--
-- Name: heartbeat_v1(uuid, text, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <e6195a991be43d72d176f60f2c3f2334>;

--
-- Name: join_v1(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.join_v1(p_declared jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <215f0cb635c7990a0cc40ada0b53e43f>;

--
-- Name: label_node_v1(text, jsonb, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e4193918f4daa5629556bd130ee2e929>;

--
-- Name: learn_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.learn_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <289d3424fa72635dc6e390e95629a25b>;

--
-- Name: leave_v1(uuid, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.leave_v1(p_session uuid, p_secret text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <59bde0d37bcf58803063cb8c125042d8>;

--
-- Name: list_keys_v1(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.list_keys_v1(p_project text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <588d65d9e28f139ab4be1dfa10fc18d4>;

--
-- Name: make_partitions_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.make_partitions_v1(p_days_ahead integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS <acff3aa8fda8c280b627a91ae95ec402>;

--
-- Name: new_id(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.new_id() RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <2671871598da75de6f858ae2d1c6e809>;

--
-- Name: FUNCTION new_id(); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.new_id() IS 'A new job id: uuid version 7.';

--
-- Name: new_ids(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.new_ids(p_count integer) RETURNS uuid[]
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <616d6ed08db866248f92c742810172aa>;

--
-- Name: FUNCTION new_ids(p_count integer); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.new_ids(p_count integer) IS 'So many new job ids: uuids version 7.';

--
-- Name: pause_v1(uuid, boolean, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text DEFAULT NULL::text, p_kind text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <d58777c3f08fc15793952d551abaadac>;

--
-- Name: policy_v1(text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.policy_v1(p_cause text, p_policy jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <6ef67b6842f2ae1bc30209a3bd9e6822>;

--
-- Name: project_v1(text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.project_v1(p_project text, p_fields jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <664b189503dc2fecd69247415771f71b>;

--
-- Name: promote_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.promote_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <36400af3048580421b6a4b0df44b13c4>;

--
-- Name: prune_v1(integer, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.prune_v1(p_keep_days integer, p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS <7e88144dd72ad30699ce172f07a59dd3>;

--
-- Name: put_blob_v1(uuid, text, bigint, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <4e399e604e471aa8e4f76a3a78921960>;

--
-- Name: quarantine_v1(text, boolean, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.quarantine_v1(p_kind text, p_on boolean, p_reason text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1f843e4080aacc7bb59317f9775c9c7c>;

--
-- Name: rank_v1(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.rank_v1() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <bf30e4863059e95d908addb5efc9dc35>;

--
-- Name: reap_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.reap_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <941cb72670d4be8cbced588567e9ed90>;

--
-- Name: release_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <1df7413cc10d075220d098c0b82c93db>;

--
-- Name: remove_blobs_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.remove_blobs_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <6878f95bacdf04e33e0b0d6a529e3c9c>;

--
-- Name: report_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <f255bc91627f04f53cc109a26d85008d>;

--
-- Name: reserve_blob_v1(uuid, text, bigint, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.reserve_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e4527e15e422ee41fad54d9c09ba5df8>;

--
-- Name: reserve_v1(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.reserve_v1() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <1bee0cc403c2f9247d295d3c62b0fa9d>;

--
-- Name: retry_v1(uuid, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <f63fb2f16151e8ac6c46c3addc43c4a5>;

--
-- Name: revoke_key_v1(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.revoke_key_v1(p_prefix text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <261951423051bd99b020b746207a9a41>;

--
-- Name: rotate_key_v1(text, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.rotate_key_v1(p_prefix text, p_overlap_s double precision) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <5a6071d0b0ac768cb6ad26f36b728d7f>;

--
-- Name: state_of(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.state_of(p_job uuid) RETURNS fleet.job_state
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <dbca5db99a2a3bdda5259641df6ddd47>;

--
-- Name: FUNCTION state_of(p_job uuid); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.state_of(p_job uuid) IS 'Where a job is.';

--
-- Name: submit_v1(uuid, jsonb, uuid, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid DEFAULT NULL::uuid, p_idempotency_key text DEFAULT NULL::text, p_trace text DEFAULT NULL::text) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <6e7d298251da79e7b797649ff56a83e5>;

--
-- Name: tick_v1(uuid, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.tick_v1(p_schedule uuid, p_tick timestamp with time zone, p_next timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <277ddd9b9cc6ad90159a9d2e34e1daa9>;

--
-- Name: waive_erasure_v1(uuid, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.waive_erasure_v1(p_erasure uuid, p_node text, p_reason text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <0c871f1cc49f428bdaf2450ecbbc878e>;

--
-- Name: wake_v1(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.wake_v1() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS <b9abcebc9df7e3f50d22687027578b98>;

--
-- Name: webhook_done_v1(bigint, boolean, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) RETURNS jsonb
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <e53553126df2171ec344300fe19b3449>;

--
-- Name: why_v1(uuid, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.why_v1(p_project uuid, p_job uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS <48051b50f6183a012f09396fa38f08b6>;

--
-- Name: jobs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.jobs (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    kind text NOT NULL,
    name text,
    priority fleet.priority NOT NULL,
    lane_id bigint NOT NULL,
    order_key bigint NOT NULL,
    model_key text NOT NULL,
    params jsonb NOT NULL,
    inputs jsonb,
    tags jsonb,
    run_at timestamp with time zone,
    start_by timestamp with time zone,
    timeout_s integer NOT NULL,
    retries integer NOT NULL,
    retries_used integer DEFAULT 0 NOT NULL,
    infra_used integer DEFAULT 0 NOT NULL,
    releases integer DEFAULT 0 NOT NULL,
    rungs integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    exclusive boolean DEFAULT false NOT NULL,
    preemptible boolean DEFAULT false NOT NULL,
    webhook text,
    key_id uuid,
    trace text,
    created_at timestamp with time zone NOT NULL,
    outcome fleet.job_state,
    cause fleet.cause,
    error jsonb,
    result jsonb,
    ended_at timestamp with time zone,
    erasure_id uuid,
    failed_at timestamp with time zone
)
WITH (fillfactor='45', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: TABLE jobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.jobs IS 'One row per job until retention ends it. Written at submit and at the end of attempts, never by a claim.';

--
-- Name: COLUMN jobs.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.job_id IS 'Key: a time-ordered uuid.';

--
-- Name: COLUMN jobs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.project_id IS 'Its project.';

--
-- Name: COLUMN jobs.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.kind IS 'What code runs.';

--
-- Name: COLUMN jobs.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.name IS 'For people.';

--
-- Name: COLUMN jobs.priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.priority IS 'The class.';

--
-- Name: COLUMN jobs.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.lane_id IS 'Where it stands, or stood, in ready.';

--
-- Name: COLUMN jobs.order_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.order_key IS 'Age within the lane: microseconds since 1970 at submit; kept over retries.';

--
-- Name: COLUMN jobs.model_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.model_key IS 'The model it uses, or empty.';

--
-- Name: COLUMN jobs.params; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.params IS 'For the kind.';

--
-- Name: COLUMN jobs.inputs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.inputs IS 'Files it reads: name to {sha256} or {job, output}.';

--
-- Name: COLUMN jobs.tags; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.tags IS 'For people: searchable.';

--
-- Name: COLUMN jobs.run_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.run_at IS 'Not before.';

--
-- Name: COLUMN jobs.start_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.start_by IS 'Started by then, or not at all.';

--
-- Name: COLUMN jobs.timeout_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.timeout_s IS 'Wall time of one attempt.';

--
-- Name: COLUMN jobs.retries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.retries IS 'How many failures of its own it may retry.';

--
-- Name: COLUMN jobs.retries_used; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.retries_used IS 'How many it has.';

--
-- Name: COLUMN jobs.infra_used; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.infra_used IS 'Retries that infrastructure cost; capped by settings.max_infra_retries.';

--
-- Name: COLUMN jobs.releases; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.releases IS 'How often in a row nodes handed it back before it started: from the third time on it waits a while.';

--
-- Name: COLUMN jobs.rungs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.rungs IS 'How often it was tried again with more memory, at nobody''s charge.';

--
-- Name: COLUMN jobs.attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.attempts IS 'Attempts that have ended.';

--
-- Name: COLUMN jobs.exclusive; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.exclusive IS 'Its runner dies before its lease does.';

--
-- Name: COLUMN jobs.preemptible; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.preemptible IS 'In class low, it may be asked to save its state and give way to urgent work.';

--
-- Name: COLUMN jobs.webhook; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.webhook IS 'Called when it has ended.';

--
-- Name: COLUMN jobs.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.key_id IS 'The API key that submitted it.';

--
-- Name: COLUMN jobs.trace; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.trace IS 'W3C traceparent of the submission.';

--
-- Name: COLUMN jobs.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.created_at IS 'Submitted.';

--
-- Name: COLUMN jobs.outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.outcome IS 'How it ended; null while it is waiting, ready or running.';

--
-- Name: COLUMN jobs.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.cause IS 'Why it did not succeed.';

--
-- Name: COLUMN jobs.error; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.error IS 'Of the last failed attempt: {message, traceback}.';

--
-- Name: COLUMN jobs.result; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.result IS 'The small answer of a success.';

--
-- Name: COLUMN jobs.ended_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.ended_at IS 'When it ended.';

--
-- Name: COLUMN jobs.erasure_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.erasure_id IS 'The erasure that takes its files and words; it is not run again.';

--
-- Name: COLUMN jobs.failed_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.failed_at IS 'When it ended, if it failed.';

--
-- Name: artifacts; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.artifacts (
    job_id uuid NOT NULL,
    name text NOT NULL,
    project_id uuid NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    media_type text NOT NULL
)
WITH (autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: TABLE artifacts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.artifacts IS 'Outputs of jobs that succeeded.';

--
-- Name: COLUMN artifacts.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.job_id IS 'The job.';

--
-- Name: COLUMN artifacts.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.name IS 'The name people download it by.';

--
-- Name: COLUMN artifacts.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.project_id IS 'Its project.';

--
-- Name: COLUMN artifacts.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.sha256 IS 'Which blob.';

--
-- Name: COLUMN artifacts.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.size IS 'In bytes.';

--
-- Name: COLUMN artifacts.media_type; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.media_type IS 'Its type.';

--
-- Name: attempts; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.attempts (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    attempt integer NOT NULL,
    token uuid NOT NULL,
    session_id uuid NOT NULL,
    node_id bigint NOT NULL,
    devices integer[] NOT NULL,
    vram_mib integer NOT NULL,
    ram_mib integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    settled_by text NOT NULL,
    cause fleet.cause,
    message text,
    traceback text,
    peak_mib integer,
    progress jsonb,
    claimed_event bigint NOT NULL,
    ended_event bigint NOT NULL
)
PARTITION BY RANGE (ended_at);

--
-- Name: TABLE attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.attempts IS 'Every attempt that has ended.';

--
-- Name: COLUMN attempts.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.job_id IS 'The job.';

--
-- Name: COLUMN attempts.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.project_id IS 'Its project.';

--
-- Name: COLUMN attempts.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.attempt IS 'Counts from 1.';

--
-- Name: COLUMN attempts.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.token IS 'Its fence, by which a second settle is recognised.';

--
-- Name: COLUMN attempts.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.session_id IS 'Who ran it.';

--
-- Name: COLUMN attempts.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.node_id IS 'Where.';

--
-- Name: COLUMN attempts.devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.devices IS 'Booked devices of the node (idx).';

--
-- Name: COLUMN attempts.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.vram_mib IS 'Booked on each of them.';

--
-- Name: COLUMN attempts.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.ram_mib IS 'Booked host memory.';

--
-- Name: COLUMN attempts.started_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.started_at IS 'Claimed.';

--
-- Name: COLUMN attempts.ended_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.ended_at IS 'Settled.';

--
-- Name: COLUMN attempts.outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.outcome IS 'succeeded, failed, or released (handed back without blame).';

--
-- Name: COLUMN attempts.settled_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.settled_by IS 'The agent itself, or the reaper.';

--
-- Name: COLUMN attempts.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.cause IS 'Why it failed.';

--
-- Name: COLUMN attempts.message; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.message IS 'For people.';

--
-- Name: COLUMN attempts.traceback; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.traceback IS 'Where the code failed.';

--
-- Name: COLUMN attempts.peak_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.peak_mib IS 'Largest memory in use, or asked for, on one device; null: not measured.';

--
-- Name: COLUMN attempts.progress; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.progress IS 'How far it got.';

--
-- Name: COLUMN attempts.claimed_event; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.claimed_event IS 'Its event claimed, in v_events.';

--
-- Name: COLUMN attempts.ended_event; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.ended_event IS 'Its event succeeded, in v_events; other ends are told in job_events, with what they lead to.';

--
-- Name: attempts_default; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.attempts_default (
    job_id uuid CONSTRAINT attempts_job_id_not_null NOT NULL,
    project_id uuid CONSTRAINT attempts_project_id_not_null NOT NULL,
    attempt integer CONSTRAINT attempts_attempt_not_null NOT NULL,
    token uuid CONSTRAINT attempts_token_not_null NOT NULL,
    session_id uuid CONSTRAINT attempts_session_id_not_null NOT NULL,
    node_id bigint CONSTRAINT attempts_node_id_not_null NOT NULL,
    devices integer[] CONSTRAINT attempts_devices_not_null NOT NULL,
    vram_mib integer CONSTRAINT attempts_vram_mib_not_null NOT NULL,
    ram_mib integer CONSTRAINT attempts_ram_mib_not_null NOT NULL,
    started_at timestamp with time zone CONSTRAINT attempts_started_at_not_null NOT NULL,
    ended_at timestamp with time zone CONSTRAINT attempts_ended_at_not_null NOT NULL,
    outcome text CONSTRAINT attempts_outcome_not_null NOT NULL,
    settled_by text CONSTRAINT attempts_settled_by_not_null NOT NULL,
    cause fleet.cause,
    message text,
    traceback text,
    peak_mib integer,
    progress jsonb,
    claimed_event bigint CONSTRAINT attempts_claimed_event_not_null NOT NULL,
    ended_event bigint CONSTRAINT attempts_ended_event_not_null NOT NULL
)
WITH (autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: audit; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.audit (
    audit_id bigint NOT NULL,
    at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    login text NOT NULL,
    key_id uuid,
    act text NOT NULL,
    said jsonb NOT NULL
);

--
-- Name: TABLE audit; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.audit IS 'What operators did: kept for ever, written by the verb itself.';

--
-- Name: COLUMN audit.audit_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.audit.audit_id IS 'Key, in order.';

--
-- Name: COLUMN audit.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.audit.at IS 'When.';

--
-- Name: COLUMN audit.login; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.audit.login IS 'Who was logged in to the database: the API''s login for what came through it.';

--
-- Name: COLUMN audit.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.audit.key_id IS 'The API key that asked; null: nobody did through the API.';

--
-- Name: COLUMN audit.act; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.audit.act IS 'The verb.';

--
-- Name: COLUMN audit.said; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.audit.said IS 'Its arguments; never a secret.';

--
-- Name: audit_audit_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.audit ALTER COLUMN audit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.audit_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: blobs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.blobs (
    project_id uuid NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    media_type text NOT NULL,
    visible boolean NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    made_by uuid,
    leaving_at timestamp with time zone,
    removing_until timestamp with time zone,
    CONSTRAINT blobs_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT blobs_size_check CHECK ((size >= 0))
);

--
-- Name: TABLE blobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.blobs IS 'Files in the blob store.';

--
-- Name: COLUMN blobs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.project_id IS 'Its project.';

--
-- Name: COLUMN blobs.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.sha256 IS 'Of its content, in lower-case hex.';

--
-- Name: COLUMN blobs.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.size IS 'In bytes.';

--
-- Name: COLUMN blobs.media_type; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.media_type IS 'As its first sender said.';

--
-- Name: COLUMN blobs.visible; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.visible IS 'False while only a running attempt knows of it.';

--
-- Name: COLUMN blobs.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.created_at IS 'Stored, the last time; of what jobs store again within a day, the first time.';

--
-- Name: COLUMN blobs.made_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.made_by IS 'The job that stored it; null: a client did.';

--
-- Name: COLUMN blobs.leaving_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.leaving_at IS 'Set: nobody sees it any more, and from then on the store removes it; infinity: it waits for jobs to end.';

--
-- Name: COLUMN blobs.removing_until; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.removing_until IS 'Somebody is removing it from the store, and has said so until then.';

--
-- Name: cap_returns; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.cap_returns (
    project_id uuid NOT NULL,
    running integer NOT NULL,
    vram_mib bigint NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE cap_returns; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.cap_returns IS 'What ended attempts give back to their caps: appended by settles, taken up by the next claim.';

--
-- Name: COLUMN cap_returns.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.cap_returns.project_id IS 'The project.';

--
-- Name: COLUMN cap_returns.running; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.cap_returns.running IS 'Leases.';

--
-- Name: COLUMN cap_returns.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.cap_returns.vram_mib IS 'VRAM.';

--
-- Name: charges; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.charges (
    era bigint NOT NULL,
    project_id uuid NOT NULL,
    low boolean NOT NULL,
    amount double precision NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE charges; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.charges IS 'Use that rank has not added up yet: claims and settles only append, so that none waits for another.';

--
-- Name: COLUMN charges.era; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.charges.era IS 'The ranking in force when it was charged.';

--
-- Name: COLUMN charges.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.charges.project_id IS 'Who pays.';

--
-- Name: COLUMN charges.low; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.charges.low IS 'Whether class low did it.';

--
-- Name: COLUMN charges.amount; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.charges.amount IS 'GiB x seconds; negative when less was used than charged before.';

--
-- Name: checkpoints; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.checkpoints (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    token uuid NOT NULL,
    attempt integer NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    step bigint NOT NULL,
    at timestamp with time zone NOT NULL
)
WITH (autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: TABLE checkpoints; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.checkpoints IS 'Where an unfinished job got to: the next attempt goes on from here.';

--
-- Name: COLUMN checkpoints.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.job_id IS 'The job.';

--
-- Name: COLUMN checkpoints.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.project_id IS 'Its project.';

--
-- Name: COLUMN checkpoints.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.token IS 'The attempt that wrote it.';

--
-- Name: COLUMN checkpoints.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.attempt IS 'Its number.';

--
-- Name: COLUMN checkpoints.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.sha256 IS 'Which blob.';

--
-- Name: COLUMN checkpoints.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.size IS 'In bytes.';

--
-- Name: COLUMN checkpoints.step; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.step IS 'Steps done.';

--
-- Name: COLUMN checkpoints.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.at IS 'When.';

--
-- Name: dependencies; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.dependencies (
    job_id uuid NOT NULL,
    after_job_id uuid NOT NULL,
    wants fleet.job_end DEFAULT 'succeeded'::fleet.job_end NOT NULL,
    satisfied boolean DEFAULT false NOT NULL
)
WITH (autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: TABLE dependencies; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.dependencies IS 'Which job waits for which.';

--
-- Name: COLUMN dependencies.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.job_id IS 'Waits.';

--
-- Name: COLUMN dependencies.after_job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.after_job_id IS 'For this one.';

--
-- Name: COLUMN dependencies.wants; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.wants IS 'To succeed, to fail (or be cancelled), or to end in any way.';

--
-- Name: COLUMN dependencies.satisfied; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.satisfied IS 'It has.';

--
-- Name: devices; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.devices (
    node_id bigint NOT NULL,
    idx integer NOT NULL,
    uuid text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    total_mib integer NOT NULL,
    headroom_mib integer NOT NULL,
    takes_vram boolean NOT NULL,
    free_mib integer,
    sampled_at timestamp with time zone,
    fault text,
    fault_since timestamp with time zone,
    CONSTRAINT devices_headroom_mib_check CHECK ((headroom_mib >= 0)),
    CONSTRAINT devices_idx_check CHECK ((idx >= '-1'::integer)),
    CONSTRAINT devices_kind_check CHECK ((kind = ANY (ARRAY['gpu'::text, 'ram'::text]))),
    CONSTRAINT devices_total_mib_check CHECK ((total_mib >= 0)),
    CONSTRAINT host_memory_is_minus_one CHECK (((kind = 'ram'::text) = (idx = '-1'::integer)))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.devices IS 'GPUs, and per node one row of kind ram: the host''s memory.';

--
-- Name: COLUMN devices.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.node_id IS 'Its node.';

--
-- Name: COLUMN devices.idx; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.idx IS 'NVML index; -1 for host memory.';

--
-- Name: COLUMN devices.uuid; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.uuid IS 'The device''s own name for itself.';

--
-- Name: COLUMN devices.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.kind IS 'gpu or ram.';

--
-- Name: COLUMN devices.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.name IS 'For people.';

--
-- Name: COLUMN devices.total_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.total_mib IS 'All its memory.';

--
-- Name: COLUMN devices.headroom_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.headroom_mib IS 'Never handed out.';

--
-- Name: COLUMN devices.takes_vram; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.takes_vram IS 'Whether vram_mib of a job may be booked here.';

--
-- Name: COLUMN devices.free_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.free_mib IS 'Free memory in the last sample kept.';

--
-- Name: COLUMN devices.sampled_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.sampled_at IS 'When that was.';

--
-- Name: COLUMN devices.fault; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.fault IS 'Why it takes no work, as its agent found; null: it is well.';

--
-- Name: COLUMN devices.fault_since; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.fault_since IS 'Since when it has one.';

--
-- Name: erasure_files; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.erasure_files (
    erasure_id uuid NOT NULL,
    project_id uuid NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL
);

--
-- Name: TABLE erasure_files; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.erasure_files IS 'Files of erasures that are under way; a done one keeps only their number and digest.';

--
-- Name: COLUMN erasure_files.erasure_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_files.erasure_id IS 'The erasure.';

--
-- Name: COLUMN erasure_files.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_files.project_id IS 'Its project.';

--
-- Name: COLUMN erasure_files.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_files.sha256 IS 'The file.';

--
-- Name: COLUMN erasure_files.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_files.size IS 'In bytes.';

--
-- Name: erasure_nodes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.erasure_nodes (
    erasure_id uuid NOT NULL,
    node_id bigint NOT NULL,
    confirmed_at timestamp with time zone,
    dropped jsonb,
    waived text
);

--
-- Name: TABLE erasure_nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.erasure_nodes IS 'Nodes that may have copies: all that had a session when the files went.';

--
-- Name: COLUMN erasure_nodes.erasure_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_nodes.erasure_id IS 'The erasure.';

--
-- Name: COLUMN erasure_nodes.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_nodes.node_id IS 'The node.';

--
-- Name: COLUMN erasure_nodes.confirmed_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_nodes.confirmed_at IS 'When it said that nothing is left, or somebody vouched for it.';

--
-- Name: COLUMN erasure_nodes.dropped; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_nodes.dropped IS 'What it had: {files, models, runners}; null: nobody asked it.';

--
-- Name: COLUMN erasure_nodes.waived; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.erasure_nodes.waived IS 'Why nobody waits for it: the machine is gone, its disk was wiped.';

--
-- Name: forecast_scores; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.forecast_scores (
    score_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    what text NOT NULL,
    said_s double precision NOT NULL,
    off double precision NOT NULL,
    held boolean NOT NULL,
    CONSTRAINT forecast_scores_what_check CHECK ((what = ANY (ARRAY['start'::text, 'finish'::text])))
);

--
-- Name: TABLE forecast_scores; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.forecast_scores IS 'How far off the latest few thousand first forecasts were: from these the next ones learn how wide to be.';

--
-- Name: COLUMN forecast_scores.score_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecast_scores.score_id IS 'Key; the greatest is the latest.';

--
-- Name: COLUMN forecast_scores.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecast_scores.at IS 'When it was known.';

--
-- Name: COLUMN forecast_scores.what; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecast_scores.what IS 'start or finish.';

--
-- Name: COLUMN forecast_scores.said_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecast_scores.said_s IS 'Seconds that the rehearsals said, in the middle.';

--
-- Name: COLUMN forecast_scores.off; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecast_scores.off IS 'Log of (seconds it took + 5) over (seconds said + 5): 0 is right, positive is late.';

--
-- Name: COLUMN forecast_scores.held; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecast_scores.held IS 'Whether it came by the p90 bound that was told.';

--
-- Name: forecast_scores_score_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.forecast_scores ALTER COLUMN score_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.forecast_scores_score_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: forecasts; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.forecasts (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    made_at timestamp with time zone NOT NULL,
    start_p50 timestamp with time zone,
    start_p90 timestamp with time zone,
    finish_p50 timestamp with time zone,
    finish_p90 timestamp with time zone,
    first_at timestamp with time zone NOT NULL,
    first_start_s double precision,
    first_start_p50 timestamp with time zone,
    first_start_p90 timestamp with time zone,
    first_finish_s double precision,
    first_finish_p90 timestamp with time zone,
    started_at timestamp with time zone
)
WITH (fillfactor='50');

--
-- Name: TABLE forecasts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.forecasts IS 'The newest forecast of each job that is queued or runs, and its first one, which is judged when it has started and ended.';

--
-- Name: COLUMN forecasts.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.job_id IS 'The job.';

--
-- Name: COLUMN forecasts.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.project_id IS 'Its project.';

--
-- Name: COLUMN forecasts.made_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.made_at IS 'When the newest was made.';

--
-- Name: COLUMN forecasts.start_p50; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.start_p50 IS 'Even odds to start by then; null: it has started, or nobody can say.';

--
-- Name: COLUMN forecasts.start_p90; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.start_p90 IS 'Nine of ten start by then.';

--
-- Name: COLUMN forecasts.finish_p50; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.finish_p50 IS 'Even odds to finish by then.';

--
-- Name: COLUMN forecasts.finish_p90; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.finish_p90 IS 'Nine of ten finish by then.';

--
-- Name: COLUMN forecasts.first_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.first_at IS 'When the first was made.';

--
-- Name: COLUMN forecasts.first_start_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.first_start_s IS 'What the rehearsals said then, in the middle: seconds to its start, before calibration.';

--
-- Name: COLUMN forecasts.first_start_p50; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.first_start_p50 IS 'What was said then of its start: even odds.';

--
-- Name: COLUMN forecasts.first_start_p90; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.first_start_p90 IS 'And nine of ten.';

--
-- Name: COLUMN forecasts.first_finish_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.first_finish_s IS 'As first_start_s, of its finish.';

--
-- Name: COLUMN forecasts.first_finish_p90; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.first_finish_p90 IS 'As first_start_p90, of its finish.';

--
-- Name: COLUMN forecasts.started_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.forecasts.started_at IS 'When it really started: its start has been judged.';

--
-- Name: idempotency; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.idempotency (
    project_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    job_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    created_at timestamp with time zone NOT NULL
);

--
-- Name: TABLE idempotency; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.idempotency IS 'Submissions that may be repeated: the first answer again.';

--
-- Name: COLUMN idempotency.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.project_id IS 'The project.';

--
-- Name: COLUMN idempotency.key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.key IS 'The client''s Idempotency-Key.';

--
-- Name: COLUMN idempotency.request_hash; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.request_hash IS 'sha256 of what was submitted.';

--
-- Name: COLUMN idempotency.job_ids; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.job_ids IS 'The answer.';

--
-- Name: COLUMN idempotency.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.created_at IS 'Kept for a day.';

--
-- Name: idle_sessions; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.idle_sessions (
    session_id uuid NOT NULL,
    joined_at timestamp with time zone NOT NULL,
    told_at timestamp with time zone,
    warm text[]
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE idle_sessions; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.idle_sessions IS 'Sessions that found nothing and sleep: the ones wake may notify.';

--
-- Name: COLUMN idle_sessions.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idle_sessions.session_id IS 'The session.';

--
-- Name: COLUMN idle_sessions.joined_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idle_sessions.joined_at IS 'Since when the session lives: the oldest is woken first.';

--
-- Name: COLUMN idle_sessions.told_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idle_sessions.told_at IS 'When it was woken: it is on its way to claim; null: it sleeps.';

--
-- Name: COLUMN idle_sessions.warm; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idle_sessions.warm IS 'Models that rest loaded there: it is woken before others for work of theirs; null: none.';

--
-- Name: job_events; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.job_events (
    event_id bigint DEFAULT fleet.event_id() NOT NULL,
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    event text NOT NULL,
    detail jsonb
)
PARTITION BY RANGE (at);

--
-- Name: TABLE job_events; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.job_events IS 'What happened to each job, but for what jobs, leases and attempts tell by themselves: v_events has all.';

--
-- Name: COLUMN job_events.event_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.event_id IS 'Grows; within a job in the order of commits.';

--
-- Name: COLUMN job_events.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.job_id IS 'The job.';

--
-- Name: COLUMN job_events.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.project_id IS 'Its project.';

--
-- Name: COLUMN job_events.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.at IS 'When.';

--
-- Name: COLUMN job_events.event; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.event IS 'submitted (again), ready, amended, released, lost, retrying, raised, checkpoint, cancelling, preempting, failed, cancelled.';

--
-- Name: COLUMN job_events.detail; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.detail IS 'Facts about it.';

--
-- Name: job_events_default; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.job_events_default (
    event_id bigint DEFAULT fleet.event_id() CONSTRAINT job_events_event_id_not_null NOT NULL,
    job_id uuid CONSTRAINT job_events_job_id_not_null NOT NULL,
    project_id uuid CONSTRAINT job_events_project_id_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT job_events_at_not_null NOT NULL,
    event text CONSTRAINT job_events_event_not_null NOT NULL,
    detail jsonb
);

--
-- Name: lanes_lane_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.lanes ALTER COLUMN lane_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.lanes_lane_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: leases; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.leases (
    job_id uuid NOT NULL,
    token uuid NOT NULL,
    session_id uuid NOT NULL,
    node_id bigint NOT NULL,
    project_id uuid NOT NULL,
    request_id uuid NOT NULL,
    attempt integer NOT NULL,
    devices integer[] NOT NULL,
    vram_mib integer NOT NULL,
    ram_mib integer NOT NULL,
    cpu_milli integer NOT NULL,
    disk_mib integer NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    deadline timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    charged double precision NOT NULL,
    capped boolean NOT NULL,
    preemptible boolean NOT NULL,
    command fleet.lease_command,
    unnamed integer DEFAULT 0 NOT NULL,
    claimed_event bigint NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE leases; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.leases IS 'Jobs that are running: one row per attempt, with what is booked for it.';

--
-- Name: COLUMN leases.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.job_id IS 'The job: it cannot be leased twice.';

--
-- Name: COLUMN leases.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.token IS 'The fence: new and random at every claim; every write about the attempt must name it (I2).';

--
-- Name: COLUMN leases.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.session_id IS 'Who runs it.';

--
-- Name: COLUMN leases.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.node_id IS 'Where.';

--
-- Name: COLUMN leases.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.project_id IS 'Whose it is.';

--
-- Name: COLUMN leases.request_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.request_id IS 'The claim that took it: the same claim again gets the same answer.';

--
-- Name: COLUMN leases.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.attempt IS 'Counts from 1; for people, never a fence.';

--
-- Name: COLUMN leases.devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.devices IS 'Booked devices of the node (idx).';

--
-- Name: COLUMN leases.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.vram_mib IS 'Booked on each of them.';

--
-- Name: COLUMN leases.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.ram_mib IS 'Booked host memory.';

--
-- Name: COLUMN leases.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.cpu_milli IS 'Booked CPU.';

--
-- Name: COLUMN leases.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.disk_mib IS 'Booked scratch space.';

--
-- Name: COLUMN leases.claimed_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.claimed_at IS 'Start of the attempt.';

--
-- Name: COLUMN leases.deadline; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.deadline IS 'End of its time limit: finds what is stuck, as heartbeats find what is dead.';

--
-- Name: COLUMN leases.ends_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.ends_at IS 'When it should be over: by the learned run time, else by its time limit.';

--
-- Name: COLUMN leases.charged; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.charged IS 'GiB x seconds its project was charged at the claim; trued up at the settle.';

--
-- Name: COLUMN leases.capped; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.capped IS 'Whether it counts in the caps of its project.';

--
-- Name: COLUMN leases.preemptible; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.preemptible IS 'Whether it may be asked to give way to urgent work: class low, and its owner allows it.';

--
-- Name: COLUMN leases.command; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.command IS 'What the next heartbeat asks.';

--
-- Name: COLUMN leases.unnamed; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.unnamed IS 'Heartbeats in a row that did not name it: from two on it is released (I14).';

--
-- Name: COLUMN leases.claimed_event; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.claimed_event IS 'Its event claimed, in v_events.';

--
-- Name: log_id; Type: SEQUENCE; Schema: fleet; Owner: -
--

CREATE SEQUENCE fleet.log_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: logs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.logs (
    log_id bigint DEFAULT nextval('fleet.log_id'::regclass) NOT NULL,
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    attempt integer NOT NULL,
    at timestamp with time zone NOT NULL,
    stream text NOT NULL,
    text text NOT NULL
)
PARTITION BY RANGE (at);

--
-- Name: TABLE logs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.logs IS 'What attempts printed, in chunks of whole lines.';

--
-- Name: COLUMN logs.log_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.log_id IS 'Grows; within an attempt in order.';

--
-- Name: COLUMN logs.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.job_id IS 'The job.';

--
-- Name: COLUMN logs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.project_id IS 'Its project.';

--
-- Name: COLUMN logs.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.attempt IS 'The attempt.';

--
-- Name: COLUMN logs.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.at IS 'When it arrived.';

--
-- Name: COLUMN logs.stream; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.stream IS 'stdout, stderr, or agent.';

--
-- Name: COLUMN logs.text; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.text IS 'Whole lines.';

--
-- Name: logs_default; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.logs_default (
    log_id bigint DEFAULT nextval('fleet.log_id'::regclass) CONSTRAINT logs_log_id_not_null NOT NULL,
    job_id uuid CONSTRAINT logs_job_id_not_null NOT NULL,
    project_id uuid CONSTRAINT logs_project_id_not_null NOT NULL,
    attempt integer CONSTRAINT logs_attempt_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT logs_at_not_null NOT NULL,
    stream text CONSTRAINT logs_stream_not_null NOT NULL,
    text text CONSTRAINT logs_text_not_null NOT NULL
);

--
-- Name: needs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.needs (
    need_id bigint NOT NULL,
    project_id uuid NOT NULL,
    kind text NOT NULL,
    model_key text NOT NULL,
    size_key text NOT NULL,
    declared_shape_id bigint NOT NULL,
    stated boolean NOT NULL,
    shape_id bigint NOT NULL,
    run_s double precision,
    runs bigint DEFAULT 0 NOT NULL,
    recent_run_s double precision[] DEFAULT '{}'::double precision[] NOT NULL,
    recent_peak_mib integer[] DEFAULT '{}'::integer[] NOT NULL,
    learned_mib integer,
    raised_mib integer,
    raised_ram_mib integer,
    raised_until timestamp with time zone,
    outgrown boolean DEFAULT false NOT NULL,
    plain boolean DEFAULT false NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE needs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.needs IS 'What a (project, kind, model, size) with one declared need needs now; learning moves a whole backlog by one update.';

--
-- Name: COLUMN needs.need_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.need_id IS 'Key.';

--
-- Name: COLUMN needs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.project_id IS 'The project.';

--
-- Name: COLUMN needs.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.kind IS 'The kind.';

--
-- Name: COLUMN needs.model_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.model_key IS 'The model, or empty.';

--
-- Name: COLUMN needs.size_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.size_key IS 'The parameters that decide the size of a job, or empty.';

--
-- Name: COLUMN needs.declared_shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.declared_shape_id IS 'What was asked for.';

--
-- Name: COLUMN needs.stated; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.stated IS 'The submission named this memory itself: a promise, which what is learned never lowers.';

--
-- Name: COLUMN needs.shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.shape_id IS 'What is booked now.';

--
-- Name: COLUMN needs.run_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.run_s IS 'How long an attempt takes (nine of ten take less); null: not known yet.';

--
-- Name: COLUMN needs.runs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.runs IS 'Attempts that succeeded, since it is known.';

--
-- Name: COLUMN needs.recent_run_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.recent_run_s IS 'How long the last successful attempts took, oldest first; 50 at most.';

--
-- Name: COLUMN needs.recent_peak_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.recent_peak_mib IS 'The most memory the last attempts had in use, oldest first; 20 at most.';

--
-- Name: COLUMN needs.learned_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.learned_mib IS 'Memory by the last attempts; null: fewer than five were measured.';

--
-- Name: COLUMN needs.raised_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.raised_mib IS 'VRAM on each device, since an attempt with less ran out of it.';

--
-- Name: COLUMN needs.raised_ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.raised_ram_mib IS 'Host memory, since an attempt with less ran out of it.';

--
-- Name: COLUMN needs.raised_until; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.raised_until IS 'So long is it raised; the next round of learn lowers it.';

--
-- Name: COLUMN needs.outgrown; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.outgrown IS 'It has run out of its memory before: what was learned holds where it is more than declared.';

--
-- Name: COLUMN needs.plain; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.plain IS 'Known to be that of jobs which say nothing of their needs: a note for submissions, taken back when the kind changes.';

--
-- Name: needs_need_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.needs ALTER COLUMN need_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.needs_need_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: node_health; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.node_health (
    node_id bigint NOT NULL,
    failing uuid[] DEFAULT '{}'::uuid[] NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE node_health; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.node_health IS 'Jobs that failed on a node in a row, without a success between (I8).';

--
-- Name: COLUMN node_health.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.node_health.node_id IS 'The node.';

--
-- Name: COLUMN node_health.failing; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.node_health.failing IS 'Different jobs; from three on the node gets one job at a time.';

--
-- Name: nodes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.nodes (
    node_id bigint NOT NULL,
    node text NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    facts jsonb DEFAULT '{}'::jsonb NOT NULL,
    pools text[] DEFAULT '{}'::text[] NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    erasing boolean DEFAULT false NOT NULL,
    cpu_milli integer DEFAULT 0 NOT NULL,
    disk_mib integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    CONSTRAINT nodes_node_check CHECK ((node ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$'::text))
)
WITH (autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000');

--
-- Name: TABLE nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.nodes IS 'Hosts that ever joined.';

--
-- Name: COLUMN nodes.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.node_id IS 'Key.';

--
-- Name: COLUMN nodes.node; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.node IS 'Its name.';

--
-- Name: COLUMN nodes.labels; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.labels IS 'Set by an admin; win over facts.';

--
-- Name: COLUMN nodes.facts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.facts IS 'What its agent measured of itself at the last join.';

--
-- Name: COLUMN nodes.pools; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.pools IS 'Set by an admin: projects may trust only some pools with their data.';

--
-- Name: COLUMN nodes.draining; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.draining IS 'Finishes what it runs and takes nothing new.';

--
-- Name: COLUMN nodes.erasing; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.erasing IS 'Has files to drop: its next heartbeat is told so.';

--
-- Name: COLUMN nodes.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.cpu_milli IS 'CPU at the last join, in thousandths of a core.';

--
-- Name: COLUMN nodes.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.disk_mib IS 'Scratch space at the last join.';

--
-- Name: COLUMN nodes.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.created_at IS 'First join.';

--
-- Name: nodes_node_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.nodes ALTER COLUMN node_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.nodes_node_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: observations; Type: TABLE; Schema: fleet; Owner: -
--

CREATE UNLOGGED TABLE fleet.observations (
    lane_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    runs bigint NOT NULL,
    run_s double precision[],
    peak_mib integer[],
    grew_mib integer,
    ended bigint,
    outcome text,
    cause text
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE observations; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.observations IS 'What attempts took, that learn has not taken up yet: settles only append, so that none waits for another.';

--
-- Name: COLUMN observations.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.lane_id IS 'Their lane: it leads to the need.';

--
-- Name: COLUMN observations.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.at IS 'When they ended.';

--
-- Name: COLUMN observations.runs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.runs IS 'How many succeeded.';

--
-- Name: COLUMN observations.run_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.run_s IS 'How long some of them took.';

--
-- Name: COLUMN observations.peak_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.peak_mib IS 'The most memory in use, the largest of them.';

--
-- Name: COLUMN observations.grew_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.grew_mib IS 'What attempts had when they ran out of memory: at least so much is needed.';

--
-- Name: COLUMN observations.ended; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.ended IS 'How many ended otherwise; null: those are successes, counted in runs.';

--
-- Name: COLUMN observations.outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.outcome IS 'How these ended: failed or released.';

--
-- Name: COLUMN observations.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.observations.cause IS 'Why.';

--
-- Name: paused_kinds; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.paused_kinds (
    project_id uuid NOT NULL,
    kind text NOT NULL,
    priority fleet.priority NOT NULL
);

--
-- Name: TABLE paused_kinds; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.paused_kinds IS 'Kinds that a project paused, by class: for lanes to come; those that are there know it themselves.';

--
-- Name: COLUMN paused_kinds.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.paused_kinds.project_id IS 'The project.';

--
-- Name: COLUMN paused_kinds.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.paused_kinds.kind IS 'The kind.';

--
-- Name: COLUMN paused_kinds.priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.paused_kinds.priority IS 'The class.';

--
-- Name: rankings_era_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.rankings ALTER COLUMN era ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME fleet.rankings_era_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: ready; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.ready (
    lane_id bigint NOT NULL,
    order_key bigint NOT NULL,
    job_id uuid NOT NULL,
    model_key text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE ready; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.ready IS 'Jobs that could start now. A claim deletes from here.';

--
-- Name: COLUMN ready.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.lane_id IS 'The lane.';

--
-- Name: COLUMN ready.order_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.order_key IS 'Age within the lane.';

--
-- Name: COLUMN ready.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.job_id IS 'The job.';

--
-- Name: COLUMN ready.model_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.model_key IS 'The model it uses: a warm one may pull it forward.';

--
-- Name: reaper; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.reaper (
    one boolean DEFAULT true NOT NULL,
    ran_at timestamp with time zone,
    grace_until timestamp with time zone,
    alarm_since timestamp with time zone,
    alarm text,
    CONSTRAINT reaper_one_check CHECK (one)
);

--
-- Name: TABLE reaper; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.reaper IS 'One row: when the reaper last ran, and why it holds back (I6).';

--
-- Name: COLUMN reaper.one; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.one IS 'Always true.';

--
-- Name: COLUMN reaper.ran_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.ran_at IS 'Last run.';

--
-- Name: COLUMN reaper.grace_until; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.grace_until IS 'After an absence of its own or of the database: nothing is reaped before.';

--
-- Name: COLUMN reaper.alarm_since; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.alarm_since IS 'Since when too much of the fleet is silent; null: all is well.';

--
-- Name: COLUMN reaper.alarm; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.alarm IS 'For people.';

--
-- Name: reservations; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.reservations (
    job_id uuid NOT NULL,
    node_id bigint NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    made_at timestamp with time zone NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE reservations; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.reservations IS 'Nodes that keep a place for a job: others get it only until the reservation begins (I10).';

--
-- Name: COLUMN reservations.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reservations.job_id IS 'For which job.';

--
-- Name: COLUMN reservations.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reservations.node_id IS 'Where.';

--
-- Name: COLUMN reservations.begins_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reservations.begins_at IS 'When the place should be free.';

--
-- Name: COLUMN reservations.made_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reservations.made_at IS 'Since when.';

--
-- Name: retry_policies; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.retry_policies (
    cause fleet.cause NOT NULL,
    charged text NOT NULL,
    retried boolean NOT NULL,
    base_s double precision NOT NULL,
    max_s double precision NOT NULL,
    CONSTRAINT retry_policies_base_s_check CHECK ((base_s >= (0)::double precision)),
    CONSTRAINT retry_policies_charged_check CHECK ((charged = ANY (ARRAY['user'::text, 'infrastructure'::text, 'nobody'::text]))),
    CONSTRAINT retry_policies_check CHECK ((max_s >= base_s))
);

--
-- Name: TABLE retry_policies; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.retry_policies IS 'What happens after an attempt failed, by cause (I8).';

--
-- Name: COLUMN retry_policies.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.cause IS 'Why it failed.';

--
-- Name: COLUMN retry_policies.charged; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.charged IS 'Whose retries it uses up.';

--
-- Name: COLUMN retry_policies.retried; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.retried IS 'False: the job ends at once.';

--
-- Name: COLUMN retry_policies.base_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.base_s IS 'Pause before the first retry; doubles each time, with jitter.';

--
-- Name: COLUMN retry_policies.max_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.max_s IS 'Longest pause.';

--
-- Name: schedules; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.schedules (
    schedule_id uuid DEFAULT gen_random_uuid() NOT NULL,
    project_id uuid NOT NULL,
    name text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    jobs jsonb NOT NULL,
    missed text NOT NULL,
    enabled boolean NOT NULL,
    next_tick timestamp with time zone NOT NULL,
    last_tick timestamp with time zone,
    last_outcome text,
    last_job_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    last_error jsonb,
    key_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT schedules_cron_check CHECK ((length(cron) <= 200)),
    CONSTRAINT schedules_last_outcome_check CHECK ((last_outcome = ANY (ARRAY['submitted'::text, 'skipped'::text, 'refused'::text]))),
    CONSTRAINT schedules_missed_check CHECK ((missed = ANY (ARRAY['run_once'::text, 'skip'::text]))),
    CONSTRAINT schedules_name_check CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'::text)),
    CONSTRAINT schedules_timezone_check CHECK ((length(timezone) <= 64))
);

--
-- Name: TABLE schedules; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.schedules IS 'Submissions that are made again and again, by cron.';

--
-- Name: COLUMN schedules.schedule_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.schedule_id IS 'Key.';

--
-- Name: COLUMN schedules.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.project_id IS 'The project it submits for.';

--
-- Name: COLUMN schedules.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.name IS 'Its name within the project; its jobs carry it as the tag `schedule`.';

--
-- Name: COLUMN schedules.cron; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.cron IS 'Minute, hour, day of month, month, day of week.';

--
-- Name: COLUMN schedules.timezone; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.timezone IS 'In which that is meant, for example Europe/Berlin.';

--
-- Name: COLUMN schedules.jobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.jobs IS 'What is submitted at each tick: a list of submissions.';

--
-- Name: COLUMN schedules.missed; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.missed IS 'After an absence: run_once submits once for all missed ticks, skip not at all.';

--
-- Name: COLUMN schedules.enabled; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.enabled IS 'False while it is paused.';

--
-- Name: COLUMN schedules.next_tick; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.next_tick IS 'When it is due; a tick is made by whoever moves this on.';

--
-- Name: COLUMN schedules.last_tick; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.last_tick IS 'The last one that was due.';

--
-- Name: COLUMN schedules.last_outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.last_outcome IS 'What became of it.';

--
-- Name: COLUMN schedules.last_job_ids; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.last_job_ids IS 'What was submitted last.';

--
-- Name: COLUMN schedules.last_error; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.last_error IS 'Why the last tick was refused or the schedule paused itself: {message, field, fix}.';

--
-- Name: COLUMN schedules.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.key_id IS 'The API key that made it, and submits.';

--
-- Name: COLUMN schedules.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.schedules.created_at IS 'When it was made.';

--
-- Name: session_beats; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.session_beats (
    session_id uuid NOT NULL,
    beat_at timestamp with time zone NOT NULL
)
WITH (fillfactor='20', autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE session_beats; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.session_beats IS 'The last heartbeat of each live session, and nothing else.';

--
-- Name: COLUMN session_beats.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.session_beats.session_id IS 'The session.';

--
-- Name: COLUMN session_beats.beat_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.session_beats.beat_at IS 'Last heartbeat.';

--
-- Name: settings; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.settings (
    one boolean DEFAULT true NOT NULL,
    lease_s double precision DEFAULT 30 NOT NULL,
    heartbeat_s double precision DEFAULT 10 NOT NULL,
    max_infra_retries integer DEFAULT 10 NOT NULL,
    alarm_share double precision DEFAULT 0.2 NOT NULL,
    alarm_min_nodes integer DEFAULT 5 NOT NULL,
    alarm_hold_s double precision DEFAULT 300 NOT NULL,
    log_bytes bigint DEFAULT 4194304 NOT NULL,
    durable boolean DEFAULT true NOT NULL,
    fair_half_life_s double precision DEFAULT 3600 NOT NULL,
    fair_quantum double precision DEFAULT 600 NOT NULL,
    low_share double precision DEFAULT 0.05 NOT NULL,
    reserve_after_s double precision DEFAULT 2 NOT NULL,
    reserve boolean DEFAULT true NOT NULL,
    preempt_grace_s double precision DEFAULT 30 NOT NULL,
    missed_after_s double precision DEFAULT 60 NOT NULL,
    oom_near double precision DEFAULT 0.8 NOT NULL,
    oom_rungs integer DEFAULT 4 NOT NULL,
    raise_s double precision DEFAULT 86400 NOT NULL,
    warm_patience_s double precision DEFAULT 10 NOT NULL,
    halted boolean DEFAULT false NOT NULL,
    halt_reason text,
    CONSTRAINT settings_alarm_hold_s_check CHECK (((alarm_hold_s >= (0)::double precision) AND (alarm_hold_s <= (86400)::double precision))),
    CONSTRAINT settings_alarm_min_nodes_check CHECK ((alarm_min_nodes >= 1)),
    CONSTRAINT settings_alarm_share_check CHECK (((alarm_share >= (0)::double precision) AND (alarm_share <= (1)::double precision))),
    CONSTRAINT settings_fair_half_life_s_check CHECK (((fair_half_life_s >= (1)::double precision) AND (fair_half_life_s <= (31536000)::double precision))),
    CONSTRAINT settings_fair_quantum_check CHECK ((fair_quantum >= (0)::double precision)),
    CONSTRAINT settings_heartbeat_s_check CHECK (((heartbeat_s >= (0.1)::double precision) AND (heartbeat_s <= (86400)::double precision))),
    CONSTRAINT settings_lease_s_check CHECK (((lease_s >= (1)::double precision) AND (lease_s <= (86400)::double precision))),
    CONSTRAINT settings_log_bytes_check CHECK ((log_bytes >= 0)),
    CONSTRAINT settings_low_share_check CHECK (((low_share >= (0)::double precision) AND (low_share <= (0.9)::double precision))),
    CONSTRAINT settings_max_infra_retries_check CHECK ((max_infra_retries >= 0)),
    CONSTRAINT settings_missed_after_s_check CHECK (((missed_after_s >= (1)::double precision) AND (missed_after_s <= (86400)::double precision))),
    CONSTRAINT settings_one_check CHECK (one),
    CONSTRAINT settings_oom_near_check CHECK (((oom_near >= (0)::double precision) AND (oom_near <= (1)::double precision))),
    CONSTRAINT settings_oom_rungs_check CHECK (((oom_rungs >= 0) AND (oom_rungs <= 20))),
    CONSTRAINT settings_preempt_grace_s_check CHECK (((preempt_grace_s >= (1)::double precision) AND (preempt_grace_s <= (3600)::double precision))),
    CONSTRAINT settings_raise_s_check CHECK (((raise_s >= (1)::double precision) AND (raise_s <= (31536000)::double precision))),
    CONSTRAINT settings_reserve_after_s_check CHECK (((reserve_after_s >= (0)::double precision) AND (reserve_after_s <= (86400)::double precision))),
    CONSTRAINT settings_warm_patience_s_check CHECK (((warm_patience_s >= (0)::double precision) AND (warm_patience_s <= (86400)::double precision))),
    CONSTRAINT three_beats_a_lease CHECK (((heartbeat_s * (3)::double precision) <= lease_s))
);

--
-- Name: TABLE settings; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.settings IS 'One row: what the whole fleet agrees on.';

--
-- Name: COLUMN settings.one; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.one IS 'Always true: there is one row.';

--
-- Name: COLUMN settings.lease_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.lease_s IS 'Seconds of silence after which a session has lost its leases.';

--
-- Name: COLUMN settings.heartbeat_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.heartbeat_s IS 'Seconds between two heartbeats; a third of lease_s at most, so that two may be lost.';

--
-- Name: COLUMN settings.max_infra_retries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.max_infra_retries IS 'How often infrastructure may fail one job before it ends (I8).';

--
-- Name: COLUMN settings.alarm_share; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.alarm_share IS 'When more than this share of the live nodes falls silent at once, the reaper stops (I6).';

--
-- Name: COLUMN settings.alarm_min_nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.alarm_min_nodes IS 'Fewer silent nodes than this never raise the alarm.';

--
-- Name: COLUMN settings.alarm_hold_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.alarm_hold_s IS 'After this long under alarm the reaper goes on: the nodes are really gone.';

--
-- Name: COLUMN settings.log_bytes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.log_bytes IS 'Most log text kept per attempt.';

--
-- Name: COLUMN settings.durable; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.durable IS 'Submissions and ends of attempts are on disk before they are answered, whatever synchronous_commit says.';

--
-- Name: COLUMN settings.fair_half_life_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.fair_half_life_s IS 'After this long, use of the fleet counts half against its project.';

--
-- Name: COLUMN settings.fair_quantum; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.fair_quantum IS 'GiB x seconds a project may take at once beyond its turn.';

--
-- Name: COLUMN settings.low_share; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.low_share IS 'Share of the GPU-time that class low gets even when there is other work.';

--
-- Name: COLUMN settings.reserve_after_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.reserve_after_s IS 'A job that no node has room for waits this long before a place is kept for it.';

--
-- Name: COLUMN settings.reserve; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.reserve IS 'Whether places are kept at all.';

--
-- Name: COLUMN settings.preempt_grace_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.preempt_grace_s IS 'How long preempted work is thought to need to save its state and go.';

--
-- Name: COLUMN settings.missed_after_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.missed_after_s IS 'A tick of a schedule that is made later than this was missed.';

--
-- Name: COLUMN settings.oom_near; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.oom_near IS 'Out of memory with at least this share of the booking used is the job''s own; below it others took the memory.';

--
-- Name: COLUMN settings.oom_rungs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.oom_rungs IS 'How often one job is tried again with more memory at nobody''s charge.';

--
-- Name: COLUMN settings.raise_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.raise_s IS 'How long a need stays raised after it ran out of memory.';

--
-- Name: COLUMN settings.warm_patience_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.warm_patience_s IS 'How much younger a job may be than others of its project, and still go first where its model is loaded.';

--
-- Name: COLUMN settings.halted; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.halted IS 'Nothing is claimed anywhere; running work goes on.';

--
-- Name: COLUMN settings.halt_reason; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.halt_reason IS 'For people.';

--
-- Name: shapes_shape_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.shapes ALTER COLUMN shape_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.shapes_shape_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: shares; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.shares (
    project_id uuid NOT NULL,
    usage double precision DEFAULT 0 NOT NULL,
    low_usage double precision DEFAULT 0 NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='100', autovacuum_vacuum_threshold='10000', autovacuum_analyze_scale_factor='100', autovacuum_analyze_threshold='10000');

--
-- Name: TABLE shares; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.shares IS 'Use of the fleet per project, decayed; written by rank alone.';

--
-- Name: COLUMN shares.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shares.project_id IS 'The project.';

--
-- Name: COLUMN shares.usage; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shares.usage IS 'GiB x seconds, each at the scale of the ranking it was added by: usage / scale is what counts now.';

--
-- Name: COLUMN shares.low_usage; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shares.low_usage IS 'That of its class low.';

--
-- Name: start_by; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.start_by (
    job_id uuid NOT NULL,
    start_by timestamp with time zone NOT NULL
);

--
-- Name: TABLE start_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.start_by IS 'Jobs that end unless started in time; gone at that time, and back with one unstarted.';

--
-- Name: COLUMN start_by.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.start_by.job_id IS 'The job.';

--
-- Name: COLUMN start_by.start_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.start_by.start_by IS 'The time.';

--
-- Name: tallies; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.tallies (
    project_id uuid NOT NULL,
    kind text NOT NULL,
    priority fleet.priority NOT NULL,
    outcome text NOT NULL,
    cause text NOT NULL,
    attempts bigint NOT NULL
)
WITH (fillfactor='50');

--
-- Name: TABLE tallies; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.tallies IS 'How many attempts have ended, ever: learn adds them up, from what settles append to observations.';

--
-- Name: COLUMN tallies.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.tallies.project_id IS 'The project.';

--
-- Name: COLUMN tallies.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.tallies.kind IS 'The kind.';

--
-- Name: COLUMN tallies.priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.tallies.priority IS 'The class.';

--
-- Name: COLUMN tallies.outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.tallies.outcome IS 'succeeded, failed, or released.';

--
-- Name: COLUMN tallies.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.tallies.cause IS 'Why it failed; empty when it did not.';

--
-- Name: COLUMN tallies.attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.tallies.attempts IS 'So many.';

--
-- Name: turns; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.turns (
    name text NOT NULL
);

--
-- Name: TABLE turns; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.turns IS 'Rounds that one process at a time may do: whoever has locked the row has its turn.';

--
-- Name: COLUMN turns.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.turns.name IS 'Key.';

--
-- Name: v_artifacts; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_artifacts AS
 SELECT job_id,
    project_id,
    name,
    sha256,
    size,
    media_type
   FROM fleet.artifacts a;

--
-- Name: VIEW v_artifacts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_artifacts IS 'Outputs of jobs that succeeded.';

--
-- Name: v_attempts; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_attempts AS
 SELECT a.job_id,
    a.project_id,
    a.attempt,
    n.node,
    a.devices,
    a.vram_mib,
    a.started_at,
    a.ended_at,
    a.outcome,
    (a.cause)::text AS cause,
    a.message,
    a.traceback,
    a.peak_mib
   FROM (fleet.attempts a
     JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
UNION ALL
 SELECT l.job_id,
    l.project_id,
    l.attempt,
    n.node,
    l.devices,
    l.vram_mib,
    l.claimed_at AS started_at,
    NULL::timestamp with time zone AS ended_at,
    'running'::text AS outcome,
    NULL::text AS cause,
    NULL::text AS message,
    NULL::text AS traceback,
    NULL::integer AS peak_mib
   FROM (fleet.leases l
     JOIN fleet.nodes n ON ((n.node_id = l.node_id)));

--
-- Name: VIEW v_attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_attempts IS 'Every attempt of every job, the running one included.';

--
-- Name: v_audit; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_audit AS
 SELECT a.audit_id,
    a.at,
    a.login,
    k.prefix AS key,
    p.name AS project,
    a.act,
    a.said
   FROM ((fleet.audit a
     LEFT JOIN fleet.api_keys k ON ((k.key_id = a.key_id)))
     LEFT JOIN fleet.projects p ON ((p.project_id = k.project_id)));

--
-- Name: VIEW v_audit; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_audit IS 'What operators did, and by whose login or key; order by audit_id desc.';

--
-- Name: v_blobs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_blobs AS
 SELECT project_id,
    sha256,
    size,
    media_type,
    created_at
   FROM fleet.blobs b
  WHERE visible;

--
-- Name: VIEW v_blobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_blobs IS 'Files that may be downloaded.';

--
-- Name: v_calibration; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_calibration AS
 SELECT what,
    count(*) AS judged,
    round(avg((held)::integer), 3) AS p90_held,
    round((exp(percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY off)))::numeric, 2) AS took_over_said,
    min(at) AS since
   FROM ( SELECT s_1.score_id,
            s_1.at,
            s_1.what,
            s_1.said_s,
            s_1.off,
            s_1.held,
            row_number() OVER (PARTITION BY s_1.what ORDER BY s_1.score_id DESC) AS place
           FROM fleet.forecast_scores s_1) s
  WHERE (place <= 500)
  GROUP BY what;

--
-- Name: VIEW v_calibration; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_calibration IS 'Of the latest 500 forecasts whose truth is known: how many came by the p90 bound they were told.';

--
-- Name: v_dead; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_dead AS
 SELECT j.failed_at AS ended_at,
    j.job_id,
    j.project_id,
    p.name AS project,
    j.kind,
    j.name,
    (j.cause)::text AS cause,
    (j.error ->> 'message'::text) AS message,
    j.attempts,
    j.retries,
    j.retries_used,
    j.infra_used AS infra_retries,
    n.node AS last_node
   FROM (((fleet.jobs j
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     LEFT JOIN LATERAL ( SELECT a_1.node_id
           FROM fleet.attempts a_1
          WHERE ((a_1.job_id = j.job_id) AND (a_1.attempt = j.attempts))
         LIMIT 1) a ON (true))
     LEFT JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
  WHERE ((j.failed_at IS NOT NULL) AND (j.cause <> ALL (ARRAY['dependency'::fleet.cause, 'expired'::fleet.cause])));

--
-- Name: VIEW v_dead; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_dead IS 'Jobs that failed by themselves, with their retries used up; order by ended_at desc.';

--
-- Name: v_devices; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_devices AS
 SELECT n.node,
    d.idx,
    d.kind,
    d.name,
    d.uuid,
    d.total_mib,
    d.free_mib,
    d.sampled_at,
    ( SELECT (COALESCE(sum((
                CASE
                    WHEN (d.idx = ANY (l.devices)) THEN l.vram_mib
                    ELSE 0
                END +
                CASE
                    WHEN (d.kind = 'ram'::text) THEN l.ram_mib
                    ELSE 0
                END)), (0)::bigint))::integer AS "coalesce"
           FROM fleet.leases l
          WHERE (l.session_id = s.session_id)) AS booked_mib,
    d.fault,
    d.fault_since
   FROM ((fleet.devices d
     JOIN fleet.nodes n ON ((n.node_id = d.node_id)))
     LEFT JOIN fleet.sessions s ON (((s.node_id = d.node_id) AND (s.ended_at IS NULL))));

--
-- Name: VIEW v_devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_devices IS 'GPUs and host memory: total, free in the last sample, booked, and what is wrong with them.';

--
-- Name: v_erasures; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_erasures AS
 SELECT e.erasure_id,
    e.project_id,
    p.name AS project,
    e.asked,
    e.asked_at,
    e.state,
    e.jobs,
    e.cancelled,
    e.schedules,
    e.files,
    e.bytes,
    e.shared,
    e.digest,
    e.wiped_at,
    e.stored_at,
    e.done_at,
    COALESCE(( SELECT jsonb_agg(jsonb_build_object('node', n.node, 'confirmed_at', m.confirmed_at, 'dropped', m.dropped, 'waived', m.waived) ORDER BY m.confirmed_at NULLS FIRST, n.node) AS jsonb_agg
           FROM (fleet.erasure_nodes m
             JOIN fleet.nodes n ON ((n.node_id = m.node_id)))
          WHERE (m.erasure_id = e.erasure_id)), '[]'::jsonb) AS nodes
   FROM (fleet.erasures e
     JOIN fleet.projects p ON ((p.project_id = e.project_id)));

--
-- Name: VIEW v_erasures; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_erasures IS 'Receipts of erasures: what went, where it is not gone yet.';

--
-- Name: v_events; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_events AS
 SELECT e.event_id,
    e.job_id,
    e.project_id,
    e.at,
    e.event,
    e.detail
   FROM fleet.job_events e
UNION ALL
 SELECT 1 AS event_id,
    j.job_id,
    j.project_id,
    j.created_at AS at,
    'submitted'::text AS event,
    jsonb_build_object('state',
        CASE
            WHEN ((j.run_at > j.created_at) OR (EXISTS ( SELECT
               FROM fleet.dependencies d
              WHERE (d.job_id = j.job_id)))) THEN 'waiting'::text
            ELSE 'ready'::text
        END) AS detail
   FROM fleet.jobs j
UNION ALL
 SELECT l.claimed_event AS event_id,
    l.job_id,
    l.project_id,
    l.claimed_at AS at,
    'claimed'::text AS event,
    jsonb_build_object('attempt', l.attempt, 'node', n.node, 'devices', l.devices) AS detail
   FROM (fleet.leases l
     JOIN fleet.nodes n ON ((n.node_id = l.node_id)))
UNION ALL
 SELECT a.claimed_event AS event_id,
    a.job_id,
    a.project_id,
    a.started_at AS at,
    'claimed'::text AS event,
    jsonb_build_object('attempt', a.attempt, 'node', n.node, 'devices', a.devices) AS detail
   FROM (fleet.attempts a
     JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
UNION ALL
 SELECT a.ended_event AS event_id,
    a.job_id,
    a.project_id,
    a.ended_at AS at,
    'succeeded'::text AS event,
    jsonb_build_object('attempt', a.attempt, 'node', n.node) AS detail
   FROM (fleet.attempts a
     JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
  WHERE (a.outcome = 'succeeded'::text);

--
-- Name: VIEW v_events; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_events IS 'What happened to each job; order by event_id.';

--
-- Name: v_failures; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_failures AS
 SELECT j.failed_at AS ended_at,
    j.job_id,
    p.name AS project,
    j.kind,
    j.name,
    (j.cause)::text AS cause,
    (j.error ->> 'message'::text) AS message,
    j.attempts,
    n.node AS last_node
   FROM (((fleet.jobs j
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     LEFT JOIN LATERAL ( SELECT a_1.node_id
           FROM fleet.attempts a_1
          WHERE ((a_1.job_id = j.job_id) AND (a_1.attempt = j.attempts))
         LIMIT 1) a ON (true))
     LEFT JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
  WHERE (j.failed_at IS NOT NULL);

--
-- Name: VIEW v_failures; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_failures IS 'Jobs that failed, and why; order by ended_at desc.';

--
-- Name: v_nodes; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_nodes AS
 SELECT n.node,
        CASE
            WHEN (s.session_id IS NULL) THEN 'gone'::text
            WHEN (b.beat_at < (fleet.now() - make_interval(secs => t.lease_s))) THEN 'silent'::text
            WHEN n.draining THEN 'draining'::text
            ELSE 'live'::text
        END AS state,
    n.draining,
    (n.facts || n.labels) AS labels,
    n.pools,
    COALESCE(s.kinds, '{}'::text[]) AS kinds,
    s.version,
    s.slots,
    ( SELECT (count(*))::integer AS count
           FROM fleet.leases l
          WHERE (l.session_id = s.session_id)) AS running,
    n.cpu_milli,
    n.disk_mib,
    s.joined_at,
    b.beat_at,
    COALESCE(( SELECT jsonb_agg(jsonb_build_object('idx', d.idx, 'kind', d.kind, 'name', d.name, 'uuid', d.uuid, 'total_mib', d.total_mib, 'free_mib', d.free_mib, 'booked_mib', d.booked_mib, 'fault', d.fault, 'fault_since', d.fault_since) ORDER BY (d.idx = '-1'::integer), d.idx) AS jsonb_agg
           FROM fleet.v_devices d
          WHERE (d.node = n.node)), '[]'::jsonb) AS devices
   FROM (((fleet.nodes n
     CROSS JOIN fleet.settings t)
     LEFT JOIN fleet.sessions s ON (((s.node_id = n.node_id) AND (s.ended_at IS NULL))))
     LEFT JOIN fleet.session_beats b ON ((b.session_id = s.session_id)));

--
-- Name: VIEW v_nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_nodes IS 'Every host that ever joined, with its devices.';

--
-- Name: v_fleet; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_fleet AS
 SELECT halted,
    halt_reason,
    COALESCE(( SELECT array_agg(k.kind ORDER BY k.kind) AS array_agg
           FROM fleet.kinds k
          WHERE k.quarantined), '{}'::text[]) AS quarantined,
    ( SELECT (count(*))::integer AS count
           FROM fleet.lanes l
          WHERE (l.active AND l.paused)) AS paused_lanes,
    ( SELECT (count(*))::integer AS count
           FROM fleet.v_nodes n
          WHERE (n.state = 'live'::text)) AS live_nodes,
    ( SELECT (count(*))::integer AS count
           FROM fleet.leases) AS running
   FROM fleet.settings s;

--
-- Name: VIEW v_fleet; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_fleet IS 'One row: is anything stopped, and how much goes on.';

--
-- Name: v_forecast; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_forecast AS
 SELECT f.job_id,
    p.name AS project,
    j.kind,
    j.name,
    fleet.state_of(f.job_id) AS state,
    f.start_p50,
    f.start_p90,
    f.finish_p50,
    f.finish_p90,
    f.made_at
   FROM ((fleet.forecasts f
     JOIN fleet.jobs j ON ((j.job_id = f.job_id)))
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
  WHERE (j.outcome IS NULL);

--
-- Name: VIEW v_forecast; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_forecast IS 'The newest forecast of what is queued or runs; order by start_p50.';

--
-- Name: waiting; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.waiting (
    job_id uuid NOT NULL,
    waits_for integer NOT NULL,
    run_at timestamp with time zone NOT NULL,
    CONSTRAINT waiting_waits_for_check CHECK ((waits_for >= 0))
)
WITH (autovacuum_vacuum_scale_factor='0.2', autovacuum_vacuum_threshold='500000', autovacuum_vacuum_insert_threshold='500000', autovacuum_analyze_threshold='1000000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE waiting; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.waiting IS 'Jobs that wait for other jobs, for a time, or for the end of a backoff.';

--
-- Name: COLUMN waiting.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.waiting.job_id IS 'The job.';

--
-- Name: COLUMN waiting.waits_for; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.waiting.waits_for IS 'How many jobs it still waits for.';

--
-- Name: COLUMN waiting.run_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.waiting.run_at IS 'Not before; -infinity if any time will do.';

--
-- Name: v_jobs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_jobs AS
 SELECT j.job_id,
    j.project_id,
    p.name AS project,
    j.kind,
    j.name,
    (j.priority)::text AS priority,
        CASE
            WHEN (j.outcome IS NOT NULL) THEN (j.outcome)::text
            WHEN (l.job_id IS NOT NULL) THEN 'running'::text
            WHEN (w.job_id IS NOT NULL) THEN 'waiting'::text
            ELSE 'ready'::text
        END AS state,
        CASE
            WHEN ((j.outcome IS NULL) AND (l.job_id IS NULL) AND (w.job_id IS NULL)) THEN fleet._held(t.halted, k.quarantined, x.paused)
            ELSE NULL::text
        END AS held,
    (j.cause)::text AS cause,
    j.error,
    j.params,
    jsonb_build_object('gpus', s.gpus, 'vram_mib', s.vram_mib, 'cpu_milli', s.cpu_milli, 'ram_mib', s.ram_mib, 'disk_mib', s.disk_mib, 'device', s.device, 'labels', s.labels) AS need,
    COALESCE(j.inputs, '{}'::jsonb) AS inputs,
    COALESCE(j.tags, '{}'::jsonb) AS tags,
    ARRAY( SELECT d.after_job_id
           FROM fleet.dependencies d
          WHERE (d.job_id = j.job_id)
          ORDER BY d.after_job_id) AS after,
    COALESCE(( SELECT jsonb_agg(jsonb_build_object('job', d.after_job_id, 'when', d.wants, 'satisfied', d.satisfied) ORDER BY d.after_job_id) AS jsonb_agg
           FROM fleet.dependencies d
          WHERE (d.job_id = j.job_id)), '[]'::jsonb) AS edges,
    COALESCE(w.waits_for, 0) AS waits_for,
    COALESCE(NULLIF(w.run_at, '-infinity'::timestamp with time zone), j.run_at) AS run_at,
    j.start_by,
    j.timeout_s,
    j.retries,
    j.retries_used,
    j.infra_used AS infra_retries,
    COALESCE(l.attempt, j.attempts) AS attempts,
    j.created_at,
    COALESCE(l.claimed_at, a.started_at) AS started_at,
    j.ended_at,
    COALESCE(n.node, an.node) AS node,
    COALESCE(l.devices, a.devices) AS devices,
        CASE
            WHEN (num_nonnulls(g.step, g.message, g.metrics) > 0) THEN jsonb_build_object('step', g.step, 'total', g.total, 'message', g.message, 'metrics', g.metrics, 'metrics_step', g.metrics_step, 'at', g.at)
            ELSE a.progress
        END AS progress,
    j.result,
    j.webhook,
    j.exclusive,
    j.preemptible,
    COALESCE((l.command = 'cancel'::fleet.lease_command), false) AS cancel_requested
   FROM ((((((((((((fleet.jobs j
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     JOIN fleet.lanes x ON ((x.lane_id = j.lane_id)))
     JOIN fleet.needs e ON ((e.need_id = x.need_id)))
     JOIN fleet.shapes s ON ((s.shape_id = e.shape_id)))
     JOIN fleet.kinds k ON ((k.kind = j.kind)))
     JOIN fleet.settings t ON (t.one))
     LEFT JOIN fleet.leases l ON ((l.job_id = j.job_id)))
     LEFT JOIN fleet.nodes n ON ((n.node_id = l.node_id)))
     LEFT JOIN fleet.waiting w ON ((w.job_id = j.job_id)))
     LEFT JOIN fleet.progress g ON ((g.job_id = j.job_id)))
     LEFT JOIN LATERAL ( SELECT a_1.job_id,
            a_1.project_id,
            a_1.attempt,
            a_1.token,
            a_1.session_id,
            a_1.node_id,
            a_1.devices,
            a_1.vram_mib,
            a_1.ram_mib,
            a_1.started_at,
            a_1.ended_at,
            a_1.outcome,
            a_1.settled_by,
            a_1.cause,
            a_1.message,
            a_1.traceback,
            a_1.peak_mib,
            a_1.progress,
            a_1.claimed_event,
            a_1.ended_event
           FROM fleet.attempts a_1
          WHERE ((a_1.job_id = j.job_id) AND (a_1.attempt = j.attempts))
         LIMIT 1) a ON ((l.job_id IS NULL)))
     LEFT JOIN fleet.nodes an ON ((an.node_id = a.node_id)));

--
-- Name: VIEW v_jobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_jobs IS 'Every job, with where it is and how far.';

--
-- Name: v_kinds; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_kinds AS
 SELECT kind,
    description,
    quarantined,
    quarantine_reason,
    jsonb_build_object('gpus', gpus, 'vram_mib', vram_mib, 'cpu_milli', cpu_milli, 'ram_mib', ram_mib, 'disk_mib', disk_mib, 'device', device) AS need,
    timeout_s,
    retries,
    ( SELECT (count(*))::integer AS count
           FROM ((fleet.needs n
             JOIN fleet.lanes l ON (((l.need_id = n.need_id) AND l.active)))
             JOIN fleet.ready r ON ((r.lane_id = l.lane_id)))
          WHERE (n.kind = k.kind)) AS ready,
    ( SELECT (count(*))::integer AS count
           FROM (fleet.leases l
             JOIN fleet.jobs j ON ((j.job_id = l.job_id)))
          WHERE (j.kind = k.kind)) AS running
   FROM fleet.kinds k;

--
-- Name: VIEW v_kinds; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_kinds IS 'What can run, what it needs by default, whether it is quarantined, and how much of it there is.';

--
-- Name: v_logs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_logs AS
 SELECT log_id,
    job_id,
    project_id,
    attempt,
    at,
    stream,
    text
   FROM fleet.logs g;

--
-- Name: VIEW v_logs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_logs IS 'What attempts printed; order by log_id.';

--
-- Name: v_metrics; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_metrics AS
 WITH lane AS MATERIALIZED (
         SELECT p.name AS project,
            n.kind,
            (l.priority)::text AS priority,
            COALESCE(fleet._held(t.halted, k.quarantined, l.paused), 'no'::text) AS held,
            r.depth,
            r.oldest
           FROM (((((fleet.lanes l
             JOIN fleet.projects p ON ((p.project_id = l.project_id)))
             JOIN fleet.needs n ON ((n.need_id = l.need_id)))
             JOIN fleet.kinds k ON ((k.kind = n.kind)))
             JOIN fleet.settings t ON (t.one))
             CROSS JOIN LATERAL ( SELECT count(*) AS depth,
                    min(r_1.order_key) AS oldest
                   FROM fleet.ready r_1
                  WHERE ((r_1.lane_id = l.lane_id) AND (r_1.order_key >= l.head_key))) r)
          WHERE l.active
        ), device AS MATERIALIZED (
         SELECT d.node_id,
            d.idx,
            d.uuid,
            d.kind,
            d.name,
            d.total_mib,
            d.headroom_mib,
            d.takes_vram,
            d.free_mib,
            d.sampled_at,
            d.fault,
            d.fault_since,
            (d.kind = 'ram'::text) AS is_ram,
            n.node,
            s.session_id
           FROM ((fleet.devices d
             JOIN fleet.nodes n ON ((n.node_id = d.node_id)))
             JOIN fleet.sessions s ON (((s.node_id = d.node_id) AND (s.ended_at IS NULL))))
        ), tally AS MATERIALIZED (
         SELECT c.project_id,
            c.kind,
            c.priority,
            o.outcome,
            o.cause
           FROM (( SELECT DISTINCT l.project_id,
                    n.kind,
                    l.priority
                   FROM (fleet.lanes l
                     JOIN fleet.needs n ON ((n.need_id = l.need_id)))) c
             CROSS JOIN ( VALUES ('succeeded'::text,''::text), ('released'::text,''::text), ('failed'::text,'user_error'::text), ('failed'::text,'out_of_memory'::text), ('failed'::text,'timeout'::text), ('failed'::text,'infrastructure'::text), ('failed'::text,'lost'::text)) o(outcome, cause))
        UNION
         SELECT y.project_id,
            y.kind,
            y.priority,
            y.outcome,
            y.cause
           FROM fleet.tallies y
        ), booked AS MATERIALIZED (
         SELECT b.node_id,
            x.idx,
            x.mib
           FROM (fleet.bookings b
             CROSS JOIN LATERAL UNNEST(b.idx, b.mib) x(idx, mib))
        )
 SELECT 'queue.depth'::text AS metric,
    jsonb_build_object('project', a.project, 'kind', a.kind, 'priority', a.priority, 'held', a.held) AS labels,
    (sum(a.depth))::double precision AS value
   FROM lane a
  GROUP BY a.project, a.kind, a.priority, a.held
 HAVING (sum(a.depth) > (0)::numeric)
UNION ALL
 SELECT 'queue.oldest_age'::text AS metric,
    jsonb_build_object('project', a.project, 'kind', a.kind, 'priority', a.priority, 'held', a.held) AS labels,
    (GREATEST((0)::numeric, (EXTRACT(epoch FROM fleet.now()) - ((min(a.oldest))::numeric / 1000000.0))))::double precision AS value
   FROM lane a
  GROUP BY a.project, a.kind, a.priority, a.held
 HAVING (sum(a.depth) > (0)::numeric)
UNION ALL
 SELECT 'jobs.waiting'::text AS metric,
    '{}'::jsonb AS labels,
    (count(*))::double precision AS value
   FROM fleet.waiting w
UNION ALL
 SELECT 'jobs.running'::text AS metric,
    jsonb_build_object('project', p.name, 'kind', j.kind, 'priority', j.priority) AS labels,
    (count(*))::double precision AS value
   FROM ((fleet.leases l
     JOIN fleet.projects p ON ((p.project_id = l.project_id)))
     CROSS JOIN LATERAL ( SELECT j_1.kind,
            j_1.priority
           FROM fleet.jobs j_1
          WHERE (j_1.job_id = l.job_id)
         LIMIT 1) j)
  GROUP BY p.name, j.kind, j.priority
UNION ALL
 SELECT 'nodes'::text AS metric,
    jsonb_build_object('state', s.state) AS labels,
    (count(n.node))::double precision AS value
   FROM (unnest(ARRAY['live'::text, 'draining'::text, 'silent'::text, 'gone'::text]) s(state)
     LEFT JOIN fleet.v_nodes n ON ((n.state = s.state)))
  GROUP BY s.state
UNION ALL
 SELECT 'device.memory.limit'::text AS metric,
    jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind) AS labels,
    ((d.total_mib)::numeric * 1048576.0) AS value
   FROM device d
UNION ALL
 SELECT 'device.memory.free'::text AS metric,
    jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind) AS labels,
    ((d.free_mib)::numeric * 1048576.0) AS value
   FROM device d
  WHERE (d.free_mib IS NOT NULL)
UNION ALL
 SELECT 'device.memory.booked'::text AS metric,
    jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind) AS labels,
    ((COALESCE(b.mib, 0))::numeric * 1048576.0) AS value
   FROM (device d
     LEFT JOIN booked b ON (((b.node_id = d.node_id) AND (b.idx = d.idx))))
UNION ALL
 SELECT 'device.fault.age'::text AS metric,
    jsonb_build_object('node', d.node, 'device', d.idx, 'kind', d.kind, 'reason',
        CASE
            WHEN (d.fault ~~ 'disk full%'::text) THEN 'disk_full'::text
            WHEN (d.fault ~~ 'its owner%'::text) THEN 'owner'::text
            ELSE 'sick'::text
        END) AS labels,
    (GREATEST((0)::numeric, EXTRACT(epoch FROM (fleet.now() - d.fault_since))))::double precision AS value
   FROM device d
  WHERE (d.fault IS NOT NULL)
UNION ALL
 SELECT 'attempts'::text AS metric,
    jsonb_build_object('project', p.name, 'kind', t.kind, 'priority', t.priority, 'outcome', t.outcome, 'cause', t.cause) AS labels,
    (COALESCE(y.attempts, (0)::bigint))::double precision AS value
   FROM ((tally t
     JOIN fleet.projects p ON ((p.project_id = t.project_id)))
     LEFT JOIN fleet.tallies y ON (((y.project_id = t.project_id) AND (y.kind = t.kind) AND (y.priority = t.priority) AND (y.outcome = t.outcome) AND (y.cause = t.cause))))
UNION ALL
 SELECT 'halted'::text AS metric,
    '{}'::jsonb AS labels,
    ((s.halted)::integer)::double precision AS value
   FROM fleet.settings s
UNION ALL
 SELECT 'kinds.quarantined'::text AS metric,
    '{}'::jsonb AS labels,
    (count(*))::double precision AS value
   FROM fleet.kinds k
  WHERE k.quarantined
UNION ALL
 SELECT 'lanes.paused'::text AS metric,
    '{}'::jsonb AS labels,
    (count(*))::double precision AS value
   FROM fleet.lanes l
  WHERE (l.active AND l.paused)
UNION ALL
 SELECT 'reaper.age'::text AS metric,
    '{}'::jsonb AS labels,
    (EXTRACT(epoch FROM (fleet.now() - x.since)))::double precision AS value
   FROM (fleet.reaper r
     CROSS JOIN LATERAL ( SELECT COALESCE(r.ran_at, ( SELECT min(p.created_at) AS min
                   FROM fleet.projects p)) AS since) x)
  WHERE (x.since IS NOT NULL)
UNION ALL
 SELECT 'erasures.oldest.age'::text AS metric,
    '{}'::jsonb AS labels,
    (COALESCE(EXTRACT(epoch FROM (fleet.now() - min(e.asked_at))), (0)::numeric))::double precision AS value
   FROM fleet.erasures e
  WHERE (e.state <> 'done'::text)
UNION ALL
 SELECT 'reaper.alarm'::text AS metric,
    '{}'::jsonb AS labels,
    (((r.alarm_since IS NOT NULL))::integer)::double precision AS value
   FROM fleet.reaper r
UNION ALL
 SELECT 'forecast.coverage.ratio'::text AS metric,
    jsonb_build_object('what', c.what) AS labels,
    (c.p90_held)::double precision AS value
   FROM fleet.v_calibration c
UNION ALL
 SELECT 'forecast.judged'::text AS metric,
    jsonb_build_object('what', c.what) AS labels,
    (c.judged)::double precision AS value
   FROM fleet.v_calibration c
UNION ALL
 SELECT 'forecast.error.ratio'::text AS metric,
    jsonb_build_object('what', c.what) AS labels,
    (c.took_over_said)::double precision AS value
   FROM fleet.v_calibration c
UNION ALL
 SELECT 'partitions.ahead'::text AS metric,
    jsonb_build_object('table', t.name) AS labels,
    (COALESCE((max(to_date("right"((c.relname)::text, 8), 'YYYYMMDD'::text)) - ((fleet.now() AT TIME ZONE 'UTC'::text))::date), '-1'::integer))::double precision AS value
   FROM ((unnest(ARRAY['attempts'::text, 'job_events'::text, 'logs'::text]) t(name)
     LEFT JOIN pg_inherits i ON ((i.inhparent = ((('fleet.'::text || t.name))::regclass)::oid)))
     LEFT JOIN pg_class c ON (((c.oid = i.inhrelid) AND (c.relname ~ '_[0-9]{8}$'::text))))
  GROUP BY t.name
UNION ALL
 SELECT 'database.snapshot.age'::text AS metric,
    jsonb_build_object('holder', h.holder) AS labels,
    (COALESCE(max(age(h.xmin)), 0))::double precision AS value
   FROM ( SELECT 'session'::text AS holder,
            a.backend_xmin AS xmin
           FROM pg_stat_activity a
          WHERE (a.pid <> pg_backend_pid())
        UNION ALL
         SELECT 'slot'::text,
            x.xmin
           FROM (pg_replication_slots r
             CROSS JOIN LATERAL ( VALUES (r.xmin), (r.catalog_xmin)) x(xmin))
        UNION ALL
         SELECT 'prepared'::text,
            x.transaction
           FROM pg_prepared_xacts x
        UNION ALL
         SELECT u.holder,
            NULL::xid
           FROM unnest(ARRAY['session'::text, 'slot'::text, 'prepared'::text]) u(holder)) h
  GROUP BY h.holder;

--
-- Name: VIEW v_metrics; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_metrics IS 'The fleet in numbers, for GET /metrics: one row per point.';

--
-- Name: v_needs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_needs AS
 SELECT n.need_id,
    n.project_id,
    p.name AS project,
    n.kind,
    NULLIF(n.model_key, ''::text) AS model,
    NULLIF(n.size_key, ''::text) AS size,
    d.gpus,
        CASE
            WHEN (d.gpus = 0) THEN 'ram'::text
            ELSE 'vram'::text
        END AS memory,
    n.stated,
        CASE
            WHEN (d.gpus = 0) THEN d.ram_mib
            ELSE d.vram_mib
        END AS declared_mib,
    n.learned_mib,
        CASE
            WHEN (d.gpus = 0) THEN n.raised_ram_mib
            ELSE n.raised_mib
        END AS raised_mib,
    n.raised_until,
    s.vram_mib,
    s.ram_mib,
    n.runs,
    ( SELECT percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY r.s) AS percentile_cont
           FROM unnest(n.recent_run_s) r(s)) AS run_p50_s,
    ( SELECT percentile_cont((0.9)::double precision) WITHIN GROUP (ORDER BY r.s) AS percentile_cont
           FROM unnest(n.recent_run_s) r(s)) AS run_p90_s,
    ( SELECT max(m.mib) AS max
           FROM unnest(n.recent_peak_mib) m(mib)) AS peak_mib
   FROM (((fleet.needs n
     JOIN fleet.projects p ON ((p.project_id = n.project_id)))
     JOIN fleet.shapes d ON ((d.shape_id = n.declared_shape_id)))
     JOIN fleet.shapes s ON ((s.shape_id = n.shape_id)));

--
-- Name: VIEW v_needs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_needs IS 'What jobs of a kind, model and size need: declared, learned, raised, booked now, and how long they take.';

--
-- Name: v_places; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_places AS
 SELECT n.node,
    r.job_id,
    p.name AS project,
    j.kind,
    (j.priority)::text AS priority,
    r.begins_at,
    r.made_at
   FROM (((fleet.reservations r
     JOIN fleet.nodes n ON ((n.node_id = r.node_id)))
     JOIN fleet.jobs j ON ((j.job_id = r.job_id)))
     JOIN fleet.projects p ON ((p.project_id = j.project_id)));

--
-- Name: VIEW v_places; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_places IS 'Nodes that keep a place for a job no node has room for, and from when.';

--
-- Name: v_policies; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_policies AS
 SELECT (cause)::text AS cause,
    charged,
    retried,
    base_s,
    max_s
   FROM fleet.retry_policies p;

--
-- Name: VIEW v_policies; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_policies IS 'What happens after an attempt failed, by cause.';

--
-- Name: v_projects; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_projects AS
 SELECT project_id,
    name,
    weight,
    trusted_pools,
    (paused)::text[] AS paused,
    created_at
   FROM fleet.projects p;

--
-- Name: VIEW v_projects; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_projects IS 'Tenants; paused are the classes from which nothing is claimed.';

--
-- Name: v_queue; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_queue AS
 SELECT p.name AS project,
    (l.priority)::text AS priority,
    n.kind,
    NULLIF(n.model_key, ''::text) AS model,
    s.gpus,
    s.vram_mib,
    s.cpu_milli,
    s.ram_mib,
    l.paused,
    fleet._held(t.halted, k.quarantined, l.paused) AS held,
    r.ready,
    date_trunc('second'::text, (fleet.now() - to_timestamp((((r.oldest)::numeric / 1000000.0))::double precision))) AS oldest
   FROM ((((((fleet.lanes l
     JOIN fleet.projects p ON ((p.project_id = l.project_id)))
     JOIN fleet.needs n ON ((n.need_id = l.need_id)))
     JOIN fleet.shapes s ON ((s.shape_id = n.shape_id)))
     JOIN fleet.kinds k ON ((k.kind = n.kind)))
     JOIN fleet.settings t ON (t.one))
     JOIN ( SELECT r_1.lane_id,
            count(*) AS ready,
            min(r_1.order_key) AS oldest
           FROM fleet.ready r_1
          GROUP BY r_1.lane_id) r ON ((r.lane_id = l.lane_id)))
  ORDER BY l.priority DESC, l.rank, r.oldest;

--
-- Name: VIEW v_queue; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_queue IS 'What is ready, by lane, in the order of claims.';

--
-- Name: v_reaper; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_reaper AS
 SELECT ran_at,
    grace_until,
    alarm_since,
    alarm
   FROM fleet.reaper r;

--
-- Name: VIEW v_reaper; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_reaper IS 'When the reaper last ran and why it holds back, if it does.';

--
-- Name: v_running; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_running AS
 SELECT l.job_id,
    p.name AS project,
    j.kind,
    j.name,
    n.node,
    l.devices,
    l.vram_mib,
    l.ram_mib,
    l.attempt,
    date_trunc('second'::text, (fleet.now() - l.claimed_at)) AS running_for,
    g.step,
    g.total,
    g.message,
    date_trunc('second'::text, (l.deadline - fleet.now())) AS time_left,
    (l.command)::text AS command
   FROM ((((fleet.leases l
     JOIN fleet.jobs j ON ((j.job_id = l.job_id)))
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     JOIN fleet.nodes n ON ((n.node_id = l.node_id)))
     LEFT JOIN fleet.progress g ON ((g.job_id = l.job_id)));

--
-- Name: VIEW v_running; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_running IS 'What runs, where, for how long, and how far it is.';

--
-- Name: v_schedules; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_schedules AS
 SELECT s.schedule_id,
    s.project_id,
    p.name AS project,
    s.name,
    s.cron,
    s.timezone,
    s.enabled,
    s.missed,
        CASE
            WHEN s.enabled THEN s.next_tick
            ELSE NULL::timestamp with time zone
        END AS next_tick,
    s.last_tick,
    s.last_outcome,
    s.last_job_ids,
    s.last_error,
    s.jobs,
    s.created_at
   FROM (fleet.schedules s
     JOIN fleet.projects p ON ((p.project_id = s.project_id)));

--
-- Name: VIEW v_schedules; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_schedules IS 'What is submitted by the clock, and when next.';

--
-- Name: v_shares; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_shares AS
 SELECT p.name AS project,
    p.weight,
    round(((p.weight / sum(p.weight) OVER ()))::numeric, 3) AS due,
    round(((s.usage / NULLIF(sum(s.usage) OVER (), (0)::double precision)))::numeric, 3) AS had,
    c.max_running,
    c.max_vram_mib,
    COALESCE(l.running, (0)::bigint) AS running,
    COALESCE(l.vram_mib, (0)::numeric) AS vram_mib
   FROM (((fleet.projects p
     LEFT JOIN fleet.shares s ON ((s.project_id = p.project_id)))
     LEFT JOIN fleet.caps c ON ((c.project_id = p.project_id)))
     LEFT JOIN ( SELECT l_1.project_id,
            count(*) AS running,
            sum((cardinality(l_1.devices) * (l_1.vram_mib)::bigint)) AS vram_mib
           FROM fleet.leases l_1
          GROUP BY l_1.project_id) l ON ((l.project_id = p.project_id)));

--
-- Name: VIEW v_shares; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_shares IS 'Of each project: what share it is due if all had work, what it had lately, its caps, and what it has now.';

--
-- Name: v_waiting; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_waiting AS
 SELECT j.job_id,
    p.name AS project,
    j.kind,
    j.name,
    w.waits_for,
    NULLIF(w.run_at, '-infinity'::timestamp with time zone) AS run_at,
    ARRAY( SELECT d.after_job_id
           FROM fleet.dependencies d
          WHERE ((d.job_id = j.job_id) AND (NOT d.satisfied))
          ORDER BY d.after_job_id) AS after,
    ARRAY( SELECT (d.wants)::text AS wants
           FROM fleet.dependencies d
          WHERE ((d.job_id = j.job_id) AND (NOT d.satisfied))
          ORDER BY d.after_job_id) AS wants
   FROM ((fleet.waiting w
     JOIN fleet.jobs j ON ((j.job_id = w.job_id)))
     JOIN fleet.projects p ON ((p.project_id = j.project_id)));

--
-- Name: VIEW v_waiting; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_waiting IS 'Jobs that wait for jobs or for a time.';

--
-- Name: webhook_deliveries; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.webhook_deliveries (
    delivery_id bigint NOT NULL,
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    url text NOT NULL,
    body jsonb NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    detail text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text])))
);

--
-- Name: TABLE webhook_deliveries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.webhook_deliveries IS 'Calls to make, written in the commit that ended the job.';

--
-- Name: COLUMN webhook_deliveries.delivery_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.delivery_id IS 'Key; the receiver sees it as webhook-id.';

--
-- Name: COLUMN webhook_deliveries.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.project_id IS 'Whose secret signs it.';

--
-- Name: COLUMN webhook_deliveries.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.job_id IS 'The job that ended.';

--
-- Name: COLUMN webhook_deliveries.url; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.url IS 'Where to.';

--
-- Name: COLUMN webhook_deliveries.body; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.body IS 'What is sent.';

--
-- Name: COLUMN webhook_deliveries.state; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.state IS 'pending, delivered, or dead after eight tries.';

--
-- Name: COLUMN webhook_deliveries.tries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.tries IS 'So far.';

--
-- Name: COLUMN webhook_deliveries.due_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.due_at IS 'Next try.';

--
-- Name: COLUMN webhook_deliveries.detail; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.detail IS 'Of the last try.';

--
-- Name: COLUMN webhook_deliveries.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.created_at IS 'When the job ended.';

--
-- Name: webhook_deliveries_delivery_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.webhook_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.webhook_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: attempts_default; Type: TABLE ATTACH; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.attempts ATTACH PARTITION fleet.attempts_default DEFAULT;

--
-- Name: job_events_default; Type: TABLE ATTACH; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.job_events ATTACH PARTITION fleet.job_events_default DEFAULT;

--
-- Name: logs_default; Type: TABLE ATTACH; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.logs ATTACH PARTITION fleet.logs_default DEFAULT;

--
-- Name: api_keys api_keys_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (key_id);

--
-- Name: api_keys api_keys_prefix_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.api_keys
    ADD CONSTRAINT api_keys_prefix_key UNIQUE (prefix);

--
-- Name: artifacts artifacts_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (job_id, name);

--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (audit_id);

--
-- Name: blobs blobs_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (project_id, sha256);

--
-- Name: bookings bookings_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.bookings
    ADD CONSTRAINT bookings_pkey PRIMARY KEY (node_id);

--
-- Name: caps caps_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.caps
    ADD CONSTRAINT caps_pkey PRIMARY KEY (project_id);

--
-- Name: checkpoints checkpoints_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (job_id);

--
-- Name: dependencies dependencies_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.dependencies
    ADD CONSTRAINT dependencies_pkey PRIMARY KEY (job_id, after_job_id);

--
-- Name: devices devices_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (node_id, idx);

--
-- Name: erasure_files erasure_files_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasure_files
    ADD CONSTRAINT erasure_files_pkey PRIMARY KEY (erasure_id, sha256);

--
-- Name: erasure_nodes erasure_nodes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasure_nodes
    ADD CONSTRAINT erasure_nodes_pkey PRIMARY KEY (erasure_id, node_id);

--
-- Name: erasures erasures_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (erasure_id);

--
-- Name: forecast_scores forecast_scores_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.forecast_scores
    ADD CONSTRAINT forecast_scores_pkey PRIMARY KEY (score_id);

--
-- Name: forecasts forecasts_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.forecasts
    ADD CONSTRAINT forecasts_pkey PRIMARY KEY (job_id);

--
-- Name: idempotency idempotency_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (project_id, key);

--
-- Name: idle_sessions idle_sessions_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.idle_sessions
    ADD CONSTRAINT idle_sessions_pkey PRIMARY KEY (session_id);

--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (job_id);

--
-- Name: kinds kinds_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.kinds
    ADD CONSTRAINT kinds_pkey PRIMARY KEY (kind);

--
-- Name: lanes lanes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_pkey PRIMARY KEY (lane_id);

--
-- Name: lanes lanes_project_id_priority_need_id_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_project_id_priority_need_id_key UNIQUE (project_id, priority, need_id);

--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (job_id);

--
-- Name: needs needs_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_pkey PRIMARY KEY (need_id);

--
-- Name: needs needs_project_id_declared_shape_id_stated_model_key_size_ke_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_project_id_declared_shape_id_stated_model_key_size_ke_key UNIQUE (project_id, declared_shape_id, stated, model_key, size_key, kind);

--
-- Name: node_health node_health_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.node_health
    ADD CONSTRAINT node_health_pkey PRIMARY KEY (node_id);

--
-- Name: nodes nodes_node_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.nodes
    ADD CONSTRAINT nodes_node_key UNIQUE (node);

--
-- Name: nodes nodes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.nodes
    ADD CONSTRAINT nodes_pkey PRIMARY KEY (node_id);

--
-- Name: paused_kinds paused_kinds_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.paused_kinds
    ADD CONSTRAINT paused_kinds_pkey PRIMARY KEY (project_id, kind, priority);

--
-- Name: progress progress_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (job_id);

--
-- Name: projects projects_name_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.projects
    ADD CONSTRAINT projects_name_key UNIQUE (name);

--
-- Name: projects projects_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (project_id);

--
-- Name: rankings rankings_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.rankings
    ADD CONSTRAINT rankings_pkey PRIMARY KEY (era);

--
-- Name: ready ready_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.ready
    ADD CONSTRAINT ready_pkey PRIMARY KEY (lane_id, order_key, job_id);

--
-- Name: reaper reaper_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.reaper
    ADD CONSTRAINT reaper_pkey PRIMARY KEY (one);

--
-- Name: reservations reservations_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY (job_id);

--
-- Name: retry_policies retry_policies_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.retry_policies
    ADD CONSTRAINT retry_policies_pkey PRIMARY KEY (cause);

--
-- Name: schedules schedules_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (schedule_id);

--
-- Name: schedules schedules_project_id_name_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.schedules
    ADD CONSTRAINT schedules_project_id_name_key UNIQUE (project_id, name);

--
-- Name: session_beats session_beats_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.session_beats
    ADD CONSTRAINT session_beats_pkey PRIMARY KEY (session_id);

--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session_id);

--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (one);

--
-- Name: shapes shapes_gpus_vram_mib_cpu_milli_ram_mib_disk_mib_device_labe_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.shapes
    ADD CONSTRAINT shapes_gpus_vram_mib_cpu_milli_ram_mib_disk_mib_device_labe_key UNIQUE NULLS NOT DISTINCT (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels, kind, pools);

--
-- Name: shapes shapes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.shapes
    ADD CONSTRAINT shapes_pkey PRIMARY KEY (shape_id);

--
-- Name: shares shares_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (project_id);

--
-- Name: start_by start_by_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.start_by
    ADD CONSTRAINT start_by_pkey PRIMARY KEY (job_id);

--
-- Name: tallies tallies_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.tallies
    ADD CONSTRAINT tallies_pkey PRIMARY KEY (project_id, kind, priority, outcome, cause);

--
-- Name: turns turns_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (name);

--
-- Name: waiting waiting_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.waiting
    ADD CONSTRAINT waiting_pkey PRIMARY KEY (job_id);

--
-- Name: webhook_deliveries webhook_deliveries_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (delivery_id);

--
-- Name: artifacts_by_blob; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX artifacts_by_blob ON fleet.artifacts USING btree (project_id, sha256);

--
-- Name: attempts_by_job; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX attempts_by_job ON ONLY fleet.attempts USING btree (job_id, attempt);

--
-- Name: attempts_default_job_id_attempt_idx; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX attempts_default_job_id_attempt_idx ON fleet.attempts_default USING btree (job_id, attempt);

--
-- Name: blobs_by_maker; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX blobs_by_maker ON fleet.blobs USING btree (made_by) WHERE (made_by IS NOT NULL);

--
-- Name: blobs_leaving; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX blobs_leaving ON fleet.blobs USING btree (leaving_at) WHERE (leaving_at IS NOT NULL);

--
-- Name: cap_returns_by_project; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX cap_returns_by_project ON fleet.cap_returns USING btree (project_id);

--
-- Name: charges_by_era; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX charges_by_era ON fleet.charges USING btree (era);

--
-- Name: dependencies_by_after; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX dependencies_by_after ON fleet.dependencies USING btree (after_job_id);

--
-- Name: erasure_files_by_blob; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX erasure_files_by_blob ON fleet.erasure_files USING btree (project_id, sha256);

--
-- Name: erasure_nodes_open; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX erasure_nodes_open ON fleet.erasure_nodes USING btree (node_id) WHERE (confirmed_at IS NULL);

--
-- Name: erasures_asked; Type: INDEX; Schema: fleet; Owner: -
--

CREATE UNIQUE INDEX erasures_asked ON fleet.erasures USING btree (project_id, md5((asked)::text)) WHERE (state <> 'done'::text);

--
-- Name: erasures_by_project; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX erasures_by_project ON fleet.erasures USING btree (project_id, asked_at DESC);

--
-- Name: erasures_open; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX erasures_open ON fleet.erasures USING btree (asked_at) WHERE (state <> 'done'::text);

--
-- Name: idempotency_by_age; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX idempotency_by_age ON fleet.idempotency USING btree (created_at);

--
-- Name: idle_sessions_by_joined; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX idle_sessions_by_joined ON fleet.idle_sessions USING btree (joined_at) WHERE (told_at IS NULL);

--
-- Name: idle_sessions_told; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX idle_sessions_told ON fleet.idle_sessions USING btree (told_at) WHERE (told_at IS NOT NULL);

--
-- Name: idle_sessions_warm; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX idle_sessions_warm ON fleet.idle_sessions USING btree (joined_at) WHERE ((told_at IS NULL) AND (warm IS NOT NULL));

--
-- Name: job_events_by_job; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX job_events_by_job ON ONLY fleet.job_events USING btree (job_id, event_id);

--
-- Name: job_events_default_job_id_event_id_idx; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX job_events_default_job_id_event_id_idx ON fleet.job_events_default USING btree (job_id, event_id);

--
-- Name: jobs_by_project; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX jobs_by_project ON fleet.jobs USING btree (project_id, job_id);

--
-- Name: jobs_erased; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX jobs_erased ON fleet.jobs USING btree (erasure_id, job_id) WHERE (erasure_id IS NOT NULL);

--
-- Name: jobs_failed; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX jobs_failed ON fleet.jobs USING btree (project_id, failed_at DESC, job_id DESC) WHERE (failed_at IS NOT NULL);

--
-- Name: lanes_by_need; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX lanes_by_need ON fleet.lanes USING btree (need_id);

--
-- Name: lanes_in_order; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX lanes_in_order ON fleet.lanes USING btree (shape_id, priority, rank, project_id, head_key) WHERE (active AND (NOT paused));

--
-- Name: leases_by_session; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX leases_by_session ON fleet.leases USING btree (session_id);

--
-- Name: logs_by_job; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX logs_by_job ON ONLY fleet.logs USING btree (job_id, log_id);

--
-- Name: logs_default_job_id_log_id_idx; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX logs_default_job_id_log_id_idx ON fleet.logs_default USING btree (job_id, log_id);

--
-- Name: needs_by_size; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX needs_by_size ON fleet.needs USING btree (kind, model_key, size_key, need_id);

--
-- Name: needs_plain; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX needs_plain ON fleet.needs USING btree (project_id, kind, model_key, size_key) WHERE plain;

--
-- Name: reservations_by_node; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX reservations_by_node ON fleet.reservations USING btree (node_id);

--
-- Name: schedules_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX schedules_due ON fleet.schedules USING btree (next_tick) WHERE enabled;

--
-- Name: sessions_one_live_per_node; Type: INDEX; Schema: fleet; Owner: -
--

CREATE UNIQUE INDEX sessions_one_live_per_node ON fleet.sessions USING btree (node_id) WHERE (ended_at IS NULL);

--
-- Name: start_by_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX start_by_due ON fleet.start_by USING btree (start_by);

--
-- Name: waiting_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX waiting_due ON fleet.waiting USING btree (run_at) WHERE (waits_for = 0);

--
-- Name: webhook_deliveries_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX webhook_deliveries_due ON fleet.webhook_deliveries USING btree (due_at) WHERE (state = 'pending'::text);

--
-- Name: attempts_default_job_id_attempt_idx; Type: INDEX ATTACH; Schema: fleet; Owner: -
--

ALTER INDEX fleet.attempts_by_job ATTACH PARTITION fleet.attempts_default_job_id_attempt_idx;

--
-- Name: job_events_default_job_id_event_id_idx; Type: INDEX ATTACH; Schema: fleet; Owner: -
--

ALTER INDEX fleet.job_events_by_job ATTACH PARTITION fleet.job_events_default_job_id_event_id_idx;

--
-- Name: logs_default_job_id_log_id_idx; Type: INDEX ATTACH; Schema: fleet; Owner: -
--

ALTER INDEX fleet.logs_by_job ATTACH PARTITION fleet.logs_default_job_id_log_id_idx;

--
-- Name: kinds forget_plain; Type: TRIGGER; Schema: fleet; Owner: -
--

CREATE TRIGGER forget_plain AFTER UPDATE OF gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, model_param, size_params ON fleet.kinds FOR EACH ROW EXECUTE FUNCTION fleet._forget_plain();

--
-- Name: api_keys api_keys_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.api_keys
    ADD CONSTRAINT api_keys_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: bookings bookings_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.bookings
    ADD CONSTRAINT bookings_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: caps caps_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.caps
    ADD CONSTRAINT caps_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: devices devices_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.devices
    ADD CONSTRAINT devices_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: erasure_files erasure_files_erasure_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasure_files
    ADD CONSTRAINT erasure_files_erasure_id_fkey FOREIGN KEY (erasure_id) REFERENCES fleet.erasures(erasure_id);

--
-- Name: erasure_nodes erasure_nodes_erasure_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasure_nodes
    ADD CONSTRAINT erasure_nodes_erasure_id_fkey FOREIGN KEY (erasure_id) REFERENCES fleet.erasures(erasure_id);

--
-- Name: erasure_nodes erasure_nodes_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasure_nodes
    ADD CONSTRAINT erasure_nodes_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: erasures erasures_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.erasures
    ADD CONSTRAINT erasures_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: lanes lanes_need_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_need_id_fkey FOREIGN KEY (need_id) REFERENCES fleet.needs(need_id);

--
-- Name: lanes lanes_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: lanes lanes_shape_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_shape_id_fkey FOREIGN KEY (shape_id) REFERENCES fleet.shapes(shape_id);

--
-- Name: needs needs_declared_shape_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_declared_shape_id_fkey FOREIGN KEY (declared_shape_id) REFERENCES fleet.shapes(shape_id);

--
-- Name: needs needs_kind_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_kind_fkey FOREIGN KEY (kind) REFERENCES fleet.kinds(kind);

--
-- Name: needs needs_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: needs needs_shape_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_shape_id_fkey FOREIGN KEY (shape_id) REFERENCES fleet.shapes(shape_id);

--
-- Name: node_health node_health_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.node_health
    ADD CONSTRAINT node_health_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: paused_kinds paused_kinds_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.paused_kinds
    ADD CONSTRAINT paused_kinds_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: reservations reservations_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.reservations
    ADD CONSTRAINT reservations_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: schedules schedules_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.schedules
    ADD CONSTRAINT schedules_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: sessions sessions_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.sessions
    ADD CONSTRAINT sessions_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: shares shares_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.shares
    ADD CONSTRAINT shares_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: SCHEMA fleet; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA fleet TO fleet_exec;
GRANT USAGE ON SCHEMA fleet TO fleet_agent;
GRANT USAGE ON SCHEMA fleet TO fleet_api;
GRANT USAGE ON SCHEMA fleet TO fleet_scheduler;
GRANT USAGE ON SCHEMA fleet TO fleet_admin;
GRANT USAGE ON SCHEMA fleet TO fleet_reader;

--
-- Name: TABLE shapes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.shapes TO fleet_exec;

--
-- Name: FUNCTION _absolute_inputs(p_inputs jsonb, p_ids uuid[], p_refs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_refs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_refs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _advance(p_lanes bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._advance(p_lanes bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._advance(p_lanes bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _announce(p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._announce(p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._announce(p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _last_checkpoint(p_job uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._last_checkpoint(p_job uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._last_checkpoint(p_job uuid) TO fleet_owner;

--
-- Name: FUNCTION _resolved_inputs(p_project uuid, p_inputs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._resolved_inputs(p_project uuid, p_inputs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._resolved_inputs(p_project uuid, p_inputs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _answer(p_job uuid, p_token uuid, p_attempt integer, p_project uuid, p_kind text, p_params jsonb, p_inputs jsonb, p_timeout_s integer, p_exclusive boolean, p_trace text, p_devices integer[], p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer, p_disk_mib integer, p_model text, p_preemptible boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._answer(p_job uuid, p_token uuid, p_attempt integer, p_project uuid, p_kind text, p_params jsonb, p_inputs jsonb, p_timeout_s integer, p_exclusive boolean, p_trace text, p_devices integer[], p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer, p_disk_mib integer, p_model text, p_preemptible boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._answer(p_job uuid, p_token uuid, p_attempt integer, p_project uuid, p_kind text, p_params jsonb, p_inputs jsonb, p_timeout_s integer, p_exclusive boolean, p_trace text, p_devices integer[], p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer, p_disk_mib integer, p_model text, p_preemptible boolean) TO fleet_owner;

--
-- Name: FUNCTION _suits(p_shape fleet.shapes, p_labels jsonb, p_pools text[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._suits(p_shape fleet.shapes, p_labels jsonb, p_pools text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._suits(p_shape fleet.shapes, p_labels jsonb, p_pools text[]) TO fleet_owner;

--
-- Name: TABLE kinds; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.kinds TO fleet_exec;

--
-- Name: TABLE lanes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.lanes TO fleet_exec;

--
-- Name: FUNCTION _asked(p_kinds text[], p_labels jsonb, p_pools text[], p_floor double precision, p_anywhere boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._asked(p_kinds text[], p_labels jsonb, p_pools text[], p_floor double precision, p_anywhere boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._asked(p_kinds text[], p_labels jsonb, p_pools text[], p_floor double precision, p_anywhere boolean) TO fleet_owner;

--
-- Name: FUNCTION _asked_by_all(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._asked_by_all() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._asked_by_all() TO fleet_owner;

--
-- Name: FUNCTION _audit(p_act text, p_said jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._audit(p_act text, p_said jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._audit(p_act text, p_said jsonb) TO fleet_owner;

--
-- Name: FUNCTION _best_place(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._best_place(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._best_place(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid) TO fleet_owner;

--
-- Name: FUNCTION _book(p_room fleet.room, p_shape fleet.shapes, p_places text[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._book(p_room fleet.room, p_shape fleet.shapes, p_places text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._book(p_room fleet.room, p_shape fleet.shapes, p_places text[]) TO fleet_owner;

--
-- Name: TABLE bookings; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.bookings TO fleet_exec;

--
-- Name: FUNCTION _booked(p_booked fleet.bookings, p_before fleet.room, p_room fleet.room); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._booked(p_booked fleet.bookings, p_before fleet.room, p_room fleet.room) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._booked(p_booked fleet.bookings, p_before fleet.room, p_room fleet.room) TO fleet_owner;

--
-- Name: FUNCTION now(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.now() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.now() TO fleet_owner;
GRANT ALL ON FUNCTION fleet.now() TO fleet_reader;

--
-- Name: TABLE projects; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.projects TO fleet_exec;

--
-- Name: FUNCTION _born_paused(p_project fleet.projects, p_priority fleet.priority, p_kind text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._born_paused(p_project fleet.projects, p_priority fleet.priority, p_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._born_paused(p_project fleet.projects, p_priority fleet.priority, p_kind text) TO fleet_owner;

--
-- Name: FUNCTION _broken(p_wants fleet.job_end, p_outcome fleet.job_state, p_cause fleet.cause); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._broken(p_wants fleet.job_end, p_outcome fleet.job_state, p_cause fleet.cause) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._broken(p_wants fleet.job_end, p_outcome fleet.job_state, p_cause fleet.cause) TO fleet_owner;

--
-- Name: FUNCTION _calibrated(p_now timestamp with time zone, p_played rehearsal.outcomes[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._calibrated(p_now timestamp with time zone, p_played rehearsal.outcomes[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._calibrated(p_now timestamp with time zone, p_played rehearsal.outcomes[]) TO fleet_owner;

--
-- Name: TABLE caps; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.caps TO fleet_exec;

--
-- Name: FUNCTION _cap(p_project uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._cap(p_project uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._cap(p_project uuid) TO fleet_owner;

--
-- Name: FUNCTION _cap_for(p_cap fleet.caps, p_class fleet.priority, p_key bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._cap_for(p_cap fleet.caps, p_class fleet.priority, p_key bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._cap_for(p_cap fleet.caps, p_class fleet.priority, p_key bigint) TO fleet_owner;

--
-- Name: FUNCTION _cap_now(p_project uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._cap_now(p_project uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._cap_now(p_project uuid) TO fleet_owner;

--
-- Name: FUNCTION _footprint(p_gpus integer, p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._footprint(p_gpus integer, p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._footprint(p_gpus integer, p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer) TO fleet_owner;

--
-- Name: FUNCTION _charge(p_shape fleet.shapes, p_run_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._charge(p_shape fleet.shapes, p_run_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._charge(p_shape fleet.shapes, p_run_s double precision) TO fleet_owner;

--
-- Name: FUNCTION _check_ceiling(p_key uuid, p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._check_ceiling(p_key uuid, p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._check_ceiling(p_key uuid, p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _check_objects(p_jobs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._check_objects(p_jobs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._check_objects(p_jobs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _check_submissions(p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._check_submissions(p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._check_submissions(p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _claimed(p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._claimed(p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._claimed(p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _claimed_before(p_session uuid, p_request uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._claimed_before(p_session uuid, p_request uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._claimed_before(p_session uuid, p_request uuid) TO fleet_owner;

--
-- Name: FUNCTION _count_in(p_cap fleet.caps, p_shape fleet.shapes, p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._count_in(p_cap fleet.caps, p_shape fleet.shapes, p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._count_in(p_cap fleet.caps, p_shape fleet.shapes, p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _depend(p_project uuid, p_ids uuid[], p_items fleet.submission[], p_refs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[], p_refs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[], p_refs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _durably(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._durably() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._durably() TO fleet_owner;

--
-- Name: TABLE erasures; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.erasures TO fleet_exec;

--
-- Name: FUNCTION _end_on(p_erasure fleet.erasures, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._end_on(p_erasure fleet.erasures, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._end_on(p_erasure fleet.erasures, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _enqueue(p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._enqueue(p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._enqueue(p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _erasing(p_node bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._erasing(p_node bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._erasing(p_node bigint) TO fleet_owner;

--
-- Name: FUNCTION _expire_blobs(p_before timestamp with time zone, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._expire_blobs(p_before timestamp with time zone, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._expire_blobs(p_before timestamp with time zone, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _find_erased(p_erasure fleet.erasures, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._find_erased(p_erasure fleet.erasures, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._find_erased(p_erasure fleet.erasures, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _find_on(p_erasure fleet.erasures, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._find_on(p_erasure fleet.erasures, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._find_on(p_erasure fleet.erasures, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _fit_needs(p_needs bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._fit_needs(p_needs bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._fit_needs(p_needs bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _forget_plain(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._forget_plain() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._forget_plain() TO fleet_owner;

--
-- Name: FUNCTION _free_times(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid, p_most integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._free_times(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid, p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._free_times(p_shape fleet.shapes, p_now timestamp with time zone, p_job uuid, p_most integer) TO fleet_owner;

--
-- Name: FUNCTION _held(p_halted boolean, p_quarantined boolean, p_paused boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._held(p_halted boolean, p_quarantined boolean, p_paused boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._held(p_halted boolean, p_quarantined boolean, p_paused boolean) TO fleet_owner;
GRANT ALL ON FUNCTION fleet._held(p_halted boolean, p_quarantined boolean, p_paused boolean) TO fleet_reader;

--
-- Name: FUNCTION _hold_needs(p_needs bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._hold_needs(p_needs bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._hold_needs(p_needs bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _id_of(p_us bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._id_of(p_us bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._id_of(p_us bigint) TO fleet_owner;

--
-- Name: FUNCTION _idx(p_idx integer[], p_places integer[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._idx(p_idx integer[], p_places integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._idx(p_idx integer[], p_places integer[]) TO fleet_owner;

--
-- Name: FUNCTION _in(p_now timestamp with time zone, p_s double precision, p_off double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._in(p_now timestamp with time zone, p_s double precision, p_off double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._in(p_now timestamp with time zone, p_s double precision, p_off double precision) TO fleet_owner;

--
-- Name: TABLE api_keys; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.api_keys TO fleet_exec;

--
-- Name: FUNCTION _in_force(p_key fleet.api_keys, p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._in_force(p_key fleet.api_keys, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._in_force(p_key fleet.api_keys, p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _items(p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._items(p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._items(p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _judge_forecasts(p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._judge_forecasts(p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._judge_forecasts(p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _keep_caps(p_now timestamp with time zone, p_since timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._keep_caps(p_now timestamp with time zone, p_since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._keep_caps(p_now timestamp with time zone, p_since timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _keep_no_caps(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._keep_no_caps() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._keep_no_caps() TO fleet_owner;

--
-- Name: FUNCTION _keep_still(p_project uuid, p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._keep_still(p_project uuid, p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._keep_still(p_project uuid, p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _kept(p_node bigint, p_session uuid, p_room fleet.room); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._kept(p_node bigint, p_session uuid, p_room fleet.room) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._kept(p_node bigint, p_session uuid, p_room fleet.room) TO fleet_owner;

--
-- Name: FUNCTION _kept_still(p_cap fleet.caps); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._kept_still(p_cap fleet.caps) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._kept_still(p_cap fleet.caps) TO fleet_owner;

--
-- Name: FUNCTION _key(p_key uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._key(p_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._key(p_key uuid) TO fleet_owner;

--
-- Name: FUNCTION _key_named(p_prefix text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._key_named(p_prefix text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._key_named(p_prefix text) TO fleet_owner;

--
-- Name: FUNCTION _lanes_for(p_project uuid, p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._lanes_for(p_project uuid, p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._lanes_for(p_project uuid, p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _learned(p_before integer, p_peaks integer[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._learned(p_before integer, p_peaks integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._learned(p_before integer, p_peaks integer[]) TO fleet_owner;

--
-- Name: FUNCTION _learning_with(p_needs bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._learning_with(p_needs bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._learning_with(p_needs bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _lease(p_session uuid, p_request uuid, p_seq bigint, p_booked fleet.bookings, p_idx integer[], p_era bigint, p_jobs uuid[], p_taken fleet.taken[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._lease(p_session uuid, p_request uuid, p_seq bigint, p_booked fleet.bookings, p_idx integer[], p_era bigint, p_jobs uuid[], p_taken fleet.taken[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._lease(p_session uuid, p_request uuid, p_seq bigint, p_booked fleet.bookings, p_idx integer[], p_era bigint, p_jobs uuid[], p_taken fleet.taken[]) TO fleet_owner;

--
-- Name: FUNCTION _least(p_one fleet.room, p_other fleet.room); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._least(p_one fleet.room, p_other fleet.room) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._least(p_one fleet.room, p_other fleet.room) TO fleet_owner;

--
-- Name: FUNCTION _live_nodes(p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._live_nodes(p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._live_nodes(p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _lost_items(p_sessions uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._lost_items(p_sessions uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._lost_items(p_sessions uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _low_waits_for_nobody(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._low_waits_for_nobody() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._low_waits_for_nobody() TO fleet_owner;

--
-- Name: FUNCTION _matching(p_project uuid, p_states text[], p_filter jsonb, p_after uuid, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._matching(p_project uuid, p_states text[], p_filter jsonb, p_after uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._matching(p_project uuid, p_states text[], p_filter jsonb, p_after uuid, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _measure(p_session uuid, p_slots integer, p_cpu_milli integer, p_booked fleet.bookings, p_sample jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._measure(p_session uuid, p_slots integer, p_cpu_milli integer, p_booked fleet.bookings, p_sample jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._measure(p_session uuid, p_slots integer, p_cpu_milli integer, p_booked fleet.bookings, p_sample jsonb) TO fleet_owner;

--
-- Name: FUNCTION _mib(p_mib numeric); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._mib(p_mib numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._mib(p_mib numeric) TO fleet_owner;

--
-- Name: FUNCTION _named_files(p_inputs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._named_files(p_inputs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._named_files(p_inputs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _next_turn(p_shapes bigint[], p_classes fleet.priority[], p_class fleet.priority, p_rank double precision, p_gone uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._next_turn(p_shapes bigint[], p_classes fleet.priority[], p_class fleet.priority, p_rank double precision, p_gone uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._next_turn(p_shapes bigint[], p_classes fleet.priority[], p_class fleet.priority, p_rank double precision, p_gone uuid) TO fleet_owner;

--
-- Name: FUNCTION _no_file_name(p_inputs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._no_file_name(p_inputs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._no_file_name(p_inputs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _note_plain(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._note_plain(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._note_plain(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text) TO fleet_owner;

--
-- Name: FUNCTION _note_sample(p_node bigint, p_sample jsonb, p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._note_sample(p_node bigint, p_sample jsonb, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._note_sample(p_node bigint, p_sample jsonb, p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _off(p_what text, p_class integer, p_share double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._off(p_what text, p_class integer, p_share double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._off(p_what text, p_class integer, p_share double precision) TO fleet_owner;

--
-- Name: FUNCTION _passable(p_shape fleet.shapes, p_smallest fleet.shapes); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._passable(p_shape fleet.shapes, p_smallest fleet.shapes) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._passable(p_shape fleet.shapes, p_smallest fleet.shapes) TO fleet_owner;

--
-- Name: FUNCTION _place(p_room fleet.room, p_shape fleet.shapes); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._place(p_room fleet.room, p_shape fleet.shapes) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._place(p_room fleet.room, p_shape fleet.shapes) TO fleet_owner;

--
-- Name: FUNCTION _places(p_room fleet.room, p_shape fleet.shapes, p_most integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._places(p_room fleet.room, p_shape fleet.shapes, p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._places(p_room fleet.room, p_shape fleet.shapes, p_most integer) TO fleet_owner;

--
-- Name: FUNCTION _plain_lane(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text, p_key uuid, p_order bigint, OUT lane_id bigint, OUT open boolean, OUT idle boolean, OUT held text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._plain_lane(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text, p_key uuid, p_order bigint, OUT lane_id bigint, OUT open boolean, OUT idle boolean, OUT held text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._plain_lane(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text, p_key uuid, p_order bigint, OUT lane_id bigint, OUT open boolean, OUT idle boolean, OUT held text) TO fleet_owner;

--
-- Name: FUNCTION _preempt(p_shape fleet.shapes, p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._preempt(p_shape fleet.shapes, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._preempt(p_shape fleet.shapes, p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _publish(p_succeeded uuid[], p_tokens uuid[], p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._publish(p_succeeded uuid[], p_tokens uuid[], p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._publish(p_succeeded uuid[], p_tokens uuid[], p_items jsonb) TO fleet_owner;

--
-- Name: FUNCTION _quantised(p_mib double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._quantised(p_mib double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._quantised(p_mib double precision) TO fleet_owner;

--
-- Name: FUNCTION _raise(p_rungs fleet.rung[], p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._raise(p_rungs fleet.rung[], p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._raise(p_rungs fleet.rung[], p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _rank(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._rank() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._rank() TO fleet_owner;

--
-- Name: FUNCTION _rank_of(p_project uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._rank_of(p_project uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._rank_of(p_project uuid) TO fleet_owner;

--
-- Name: FUNCTION _read_from(p_inputs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._read_from(p_inputs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._read_from(p_inputs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _refs(p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._refs(p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._refs(p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _remove_on(p_erasure fleet.erasures, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._remove_on(p_erasure fleet.erasures, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._remove_on(p_erasure fleet.erasures, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _repool(p_project uuid, p_pools text[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._repool(p_project uuid, p_pools text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._repool(p_project uuid, p_pools text[]) TO fleet_owner;

--
-- Name: FUNCTION _requeue(p_project uuid, p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._requeue(p_project uuid, p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._requeue(p_project uuid, p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _reserve(p_project uuid, p_sha256 text, p_size bigint, p_media_type text, p_job uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._reserve(p_project uuid, p_sha256 text, p_size bigint, p_media_type text, p_job uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._reserve(p_project uuid, p_sha256 text, p_size bigint, p_media_type text, p_job uuid) TO fleet_owner;

--
-- Name: FUNCTION _reshape(p_needs bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._reshape(p_needs bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._reshape(p_needs bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _resolve(p_ended uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._resolve(p_ended uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._resolve(p_ended uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _retire(p_lanes bigint[], p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._retire(p_lanes bigint[], p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._retire(p_lanes bigint[], p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _retire_lanes(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._retire_lanes(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._retire_lanes(p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _room_then(p_node bigint, p_session uuid, p_at timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._room_then(p_node bigint, p_session uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._room_then(p_node bigint, p_session uuid, p_at timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _roomy(p_room fleet.room, p_shapes bigint[], p_classes fleet.priority[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._roomy(p_room fleet.room, p_shapes bigint[], p_classes fleet.priority[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._roomy(p_room fleet.room, p_shapes bigint[], p_classes fleet.priority[]) TO fleet_owner;

--
-- Name: FUNCTION _rouse(p_shapes bigint[], p_most bigint, p_look integer, p_models text[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._rouse(p_shapes bigint[], p_most bigint, p_look integer, p_models text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._rouse(p_shapes bigint[], p_most bigint, p_look integer, p_models text[]) TO fleet_owner;

--
-- Name: FUNCTION _rouse_for(p_lanes bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._rouse_for(p_lanes bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._rouse_for(p_lanes bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _rungs(p_session uuid, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._rungs(p_session uuid, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._rungs(p_session uuid, p_items jsonb) TO fleet_owner;

--
-- Name: TABLE rankings; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.rankings TO fleet_exec;

--
-- Name: FUNCTION _scale_at(p_last fleet.rankings, p_now timestamp with time zone, p_half_life_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._scale_at(p_last fleet.rankings, p_now timestamp with time zone, p_half_life_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._scale_at(p_last fleet.rankings, p_now timestamp with time zone, p_half_life_s double precision) TO fleet_owner;

--
-- Name: FUNCTION _served(p_shapes bigint[], p_now timestamp with time zone, p_free boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._served(p_shapes bigint[], p_now timestamp with time zone, p_free boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._served(p_shapes bigint[], p_now timestamp with time zone, p_free boolean) TO fleet_owner;

--
-- Name: TABLE sessions; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.sessions TO fleet_exec;

--
-- Name: FUNCTION _session(p_session uuid, p_secret text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._session(p_session uuid, p_secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._session(p_session uuid, p_secret text) TO fleet_owner;

--
-- Name: FUNCTION _set_cap(p_project uuid, p_max_running integer, p_max_vram_mib bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._set_cap(p_project uuid, p_max_running integer, p_max_vram_mib bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._set_cap(p_project uuid, p_max_running integer, p_max_vram_mib bigint) TO fleet_owner;

--
-- Name: FUNCTION _settle(p_session uuid, p_items jsonb, p_verdict text, p_by text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._settle(p_session uuid, p_items jsonb, p_verdict text, p_by text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._settle(p_session uuid, p_items jsonb, p_verdict text, p_by text) TO fleet_owner;

--
-- Name: FUNCTION _settled_before(p_job uuid, p_token uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._settled_before(p_job uuid, p_token uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._settled_before(p_job uuid, p_token uuid) TO fleet_owner;

--
-- Name: FUNCTION _shapes_now(p_needs bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._shapes_now(p_needs bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._shapes_now(p_needs bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _sister_lane(p_lane bigint, p_priority fleet.priority); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._sister_lane(p_lane bigint, p_priority fleet.priority) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._sister_lane(p_lane bigint, p_priority fleet.priority) TO fleet_owner;

--
-- Name: FUNCTION _size_key(p_names text[], p_params jsonb, p_gpus integer, p_usual_gpus integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._size_key(p_names text[], p_params jsonb, p_gpus integer, p_usual_gpus integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._size_key(p_names text[], p_params jsonb, p_gpus integer, p_usual_gpus integer) TO fleet_owner;

--
-- Name: FUNCTION _size_of(p_kind fleet.kinds, p_params jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._size_of(p_kind fleet.kinds, p_params jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._size_of(p_kind fleet.kinds, p_params jsonb) TO fleet_owner;

--
-- Name: FUNCTION _sleep(p_session uuid, p_joined_at timestamp with time zone, p_sample jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._sleep(p_session uuid, p_joined_at timestamp with time zone, p_sample jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._sleep(p_session uuid, p_joined_at timestamp with time zone, p_sample jsonb) TO fleet_owner;

--
-- Name: FUNCTION _smallest(p_shapes bigint[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._smallest(p_shapes bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._smallest(p_shapes bigint[]) TO fleet_owner;

--
-- Name: FUNCTION _starving(p_now timestamp with time zone, p_since timestamp with time zone, p_lanes integer, p_most integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._starving(p_now timestamp with time zone, p_since timestamp with time zone, p_lanes integer, p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._starving(p_now timestamp with time zone, p_since timestamp with time zone, p_lanes integer, p_most integer) TO fleet_owner;

--
-- Name: FUNCTION _submit_one(p_project uuid, p_job jsonb, p_key uuid, p_trace text, p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._submit_one(p_project uuid, p_job jsonb, p_key uuid, p_trace text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._submit_one(p_project uuid, p_job jsonb, p_key uuid, p_trace text, p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _submit_plain(p_project uuid, p_ids uuid[], p_jobs jsonb, p_key uuid, p_trace text, p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._submit_plain(p_project uuid, p_ids uuid[], p_jobs jsonb, p_key uuid, p_trace text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._submit_plain(p_project uuid, p_ids uuid[], p_jobs jsonb, p_key uuid, p_trace text, p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _succeed(p_session uuid, p_items jsonb, p_by text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._succeed(p_session uuid, p_items jsonb, p_by text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._succeed(p_session uuid, p_items jsonb, p_by text) TO fleet_owner;

--
-- Name: FUNCTION _take(p_lane bigint, p_head bigint, p_bound bigint, p_most integer, OUT jobs uuid[], OUT next bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._take(p_lane bigint, p_head bigint, p_bound bigint, p_most integer, OUT jobs uuid[], OUT next bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._take(p_lane bigint, p_head bigint, p_bound bigint, p_most integer, OUT jobs uuid[], OUT next bigint) TO fleet_owner;

--
-- Name: FUNCTION _take_one(p_job uuid, p_lane bigint, p_order_key bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._take_one(p_job uuid, p_lane bigint, p_order_key bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._take_one(p_job uuid, p_lane bigint, p_order_key bigint) TO fleet_owner;

--
-- Name: FUNCTION _tell(p_now timestamp with time zone, p_played rehearsal.outcomes[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._tell(p_now timestamp with time zone, p_played rehearsal.outcomes[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._tell(p_now timestamp with time zone, p_played rehearsal.outcomes[]) TO fleet_owner;

--
-- Name: TABLE progress; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.progress TO fleet_exec;

--
-- Name: FUNCTION _told(p_progress fleet.progress); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._told(p_progress fleet.progress) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._told(p_progress fleet.progress) TO fleet_owner;

--
-- Name: FUNCTION _top_mib(p_shape fleet.shapes, p_memory text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._top_mib(p_shape fleet.shapes, p_memory text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._top_mib(p_shape fleet.shapes, p_memory text) TO fleet_owner;

--
-- Name: FUNCTION _unbook(p_freed fleet.booking[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._unbook(p_freed fleet.booking[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._unbook(p_freed fleet.booking[]) TO fleet_owner;

--
-- Name: FUNCTION _under_cap(p_cap fleet.caps, p_shape fleet.shapes); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._under_cap(p_cap fleet.caps, p_shape fleet.shapes) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._under_cap(p_cap fleet.caps, p_shape fleet.shapes) TO fleet_owner;

--
-- Name: FUNCTION _wait_class(p_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._wait_class(p_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._wait_class(p_s double precision) TO fleet_owner;

--
-- Name: FUNCTION _wanted(p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._wanted(p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._wanted(p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _warm_key(p_project uuid, p_kind text, p_model text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._warm_key(p_project uuid, p_kind text, p_model text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._warm_key(p_project uuid, p_kind text, p_model text) TO fleet_owner;

--
-- Name: FUNCTION _warm_keys(p_sample jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._warm_keys(p_sample jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._warm_keys(p_sample jsonb) TO fleet_owner;

--
-- Name: FUNCTION _warm_lanes(p_sample jsonb, p_lanes bigint[], p_used integer[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._warm_lanes(p_sample jsonb, p_lanes bigint[], p_used integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._warm_lanes(p_sample jsonb, p_lanes bigint[], p_used integer[]) TO fleet_owner;

--
-- Name: FUNCTION _warm_places(p_room fleet.room, p_shape fleet.shapes, p_lane bigint, p_lanes bigint[], p_runners integer[], p_devices text[], p_most integer, OUT places text[], OUT runners integer[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._warm_places(p_room fleet.room, p_shape fleet.shapes, p_lane bigint, p_lanes bigint[], p_runners integer[], p_devices text[], p_most integer, OUT places text[], OUT runners integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._warm_places(p_room fleet.room, p_shape fleet.shapes, p_lane bigint, p_lanes bigint[], p_runners integer[], p_devices text[], p_most integer, OUT places text[], OUT runners integer[]) TO fleet_owner;

--
-- Name: FUNCTION _wipe_on(p_erasure fleet.erasures, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._wipe_on(p_erasure fleet.erasures, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._wipe_on(p_erasure fleet.erasures, p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION amend_v1(p_project uuid, p_job uuid, p_fields jsonb, p_key uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.amend_v1(p_project uuid, p_job uuid, p_fields jsonb, p_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.amend_v1(p_project uuid, p_job uuid, p_fields jsonb, p_key uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.amend_v1(p_project uuid, p_job uuid, p_fields jsonb, p_key uuid) TO fleet_api;

--
-- Name: FUNCTION authenticate_v1(p_key text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.authenticate_v1(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.authenticate_v1(p_key text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.authenticate_v1(p_key text) TO fleet_api;

--
-- Name: FUNCTION blobs_removed_v1(p_blobs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.blobs_removed_v1(p_blobs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.blobs_removed_v1(p_blobs jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.blobs_removed_v1(p_blobs jsonb) TO fleet_api;

--
-- Name: FUNCTION bulk_v1(p_action text, p_project uuid, p_filter jsonb, p_dry boolean, p_limit integer, p_after uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.bulk_v1(p_action text, p_project uuid, p_filter jsonb, p_dry boolean, p_limit integer, p_after uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.bulk_v1(p_action text, p_project uuid, p_filter jsonb, p_dry boolean, p_limit integer, p_after uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.bulk_v1(p_action text, p_project uuid, p_filter jsonb, p_dry boolean, p_limit integer, p_after uuid) TO fleet_api;

--
-- Name: FUNCTION cancel_v1(p_project uuid, p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) TO fleet_api;

--
-- Name: FUNCTION checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) TO fleet_agent;

--
-- Name: FUNCTION claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean) TO fleet_agent;

--
-- Name: FUNCTION complete_v1(p_session uuid, p_secret text, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_agent;

--
-- Name: FUNCTION configure_v1(p_settings jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.configure_v1(p_settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.configure_v1(p_settings jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.configure_v1(p_settings jsonb) TO fleet_admin;

--
-- Name: FUNCTION create_key_v1(p_project text, p_name text, p_scopes jsonb, p_ceiling text, p_for_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb, p_ceiling text, p_for_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb, p_ceiling text, p_for_s double precision) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb, p_ceiling text, p_for_s double precision) TO fleet_admin;

--
-- Name: FUNCTION create_schedule_v1(p_project uuid, p_schedule jsonb, p_next timestamp with time zone, p_key uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.create_schedule_v1(p_project uuid, p_schedule jsonb, p_next timestamp with time zone, p_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.create_schedule_v1(p_project uuid, p_schedule jsonb, p_next timestamp with time zone, p_key uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.create_schedule_v1(p_project uuid, p_schedule jsonb, p_next timestamp with time zone, p_key uuid) TO fleet_api;

--
-- Name: FUNCTION delete_schedule_v1(p_project uuid, p_name text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.delete_schedule_v1(p_project uuid, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.delete_schedule_v1(p_project uuid, p_name text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.delete_schedule_v1(p_project uuid, p_name text) TO fleet_api;

--
-- Name: FUNCTION drain_v1(p_node text, p_on boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) TO fleet_api;
GRANT ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) TO fleet_admin;

--
-- Name: FUNCTION due_schedules_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.due_schedules_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.due_schedules_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.due_schedules_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION due_webhooks_v1(p_limit integer, p_hold_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) TO fleet_scheduler;

--
-- Name: FUNCTION enable_schedule_v1(p_project uuid, p_name text, p_enabled boolean, p_next timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.enable_schedule_v1(p_project uuid, p_name text, p_enabled boolean, p_next timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.enable_schedule_v1(p_project uuid, p_name text, p_enabled boolean, p_next timestamp with time zone) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.enable_schedule_v1(p_project uuid, p_name text, p_enabled boolean, p_next timestamp with time zone) TO fleet_api;

--
-- Name: FUNCTION erase_on_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.erase_on_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.erase_on_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.erase_on_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION erase_v1(p_project uuid, p_what jsonb, p_key uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.erase_v1(p_project uuid, p_what jsonb, p_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.erase_v1(p_project uuid, p_what jsonb, p_key uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.erase_v1(p_project uuid, p_what jsonb, p_key uuid) TO fleet_api;

--
-- Name: FUNCTION erased_v1(p_session uuid, p_secret text, p_erasure uuid, p_dropped jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.erased_v1(p_session uuid, p_secret text, p_erasure uuid, p_dropped jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.erased_v1(p_session uuid, p_secret text, p_erasure uuid, p_dropped jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.erased_v1(p_session uuid, p_secret text, p_erasure uuid, p_dropped jsonb) TO fleet_agent;

--
-- Name: FUNCTION erasures_v1(p_session uuid, p_secret text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.erasures_v1(p_session uuid, p_secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.erasures_v1(p_session uuid, p_secret text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.erasures_v1(p_session uuid, p_secret text) TO fleet_agent;

--
-- Name: FUNCTION eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision) TO fleet_api;
GRANT ALL ON FUNCTION fleet.eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision) TO fleet_reader;

--
-- Name: FUNCTION event_id(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.event_id() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.event_id() TO fleet_owner;

--
-- Name: FUNCTION fail_v1(p_session uuid, p_secret text, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_agent;

--
-- Name: FUNCTION fit_v1(p_project uuid, p_jobs jsonb, p_key uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.fit_v1(p_project uuid, p_jobs jsonb, p_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.fit_v1(p_project uuid, p_jobs jsonb, p_key uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.fit_v1(p_project uuid, p_jobs jsonb, p_key uuid) TO fleet_api;

--
-- Name: FUNCTION forecast_v1(p_max_age_s double precision, p_wanted uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.forecast_v1(p_max_age_s double precision, p_wanted uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.forecast_v1(p_max_age_s double precision, p_wanted uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.forecast_v1(p_max_age_s double precision, p_wanted uuid[]) TO fleet_scheduler;

--
-- Name: FUNCTION grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text) TO fleet_api;

--
-- Name: FUNCTION halt_v1(p_on boolean, p_reason text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.halt_v1(p_on boolean, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.halt_v1(p_on boolean, p_reason text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.halt_v1(p_on boolean, p_reason text) TO fleet_api;
GRANT ALL ON FUNCTION fleet.halt_v1(p_on boolean, p_reason text) TO fleet_admin;

--
-- Name: FUNCTION health_v1(p_session uuid, p_secret text, p_sample jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.health_v1(p_session uuid, p_secret text, p_sample jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.health_v1(p_session uuid, p_secret text, p_sample jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.health_v1(p_session uuid, p_secret text, p_sample jsonb) TO fleet_agent;

--
-- Name: FUNCTION heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) TO fleet_agent;

--
-- Name: FUNCTION join_v1(p_declared jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.join_v1(p_declared jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.join_v1(p_declared jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.join_v1(p_declared jsonb) TO fleet_agent;

--
-- Name: FUNCTION label_node_v1(p_node text, p_labels jsonb, p_pools jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) TO fleet_admin;

--
-- Name: FUNCTION learn_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.learn_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.learn_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.learn_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION leave_v1(p_session uuid, p_secret text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.leave_v1(p_session uuid, p_secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.leave_v1(p_session uuid, p_secret text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.leave_v1(p_session uuid, p_secret text) TO fleet_agent;

--
-- Name: FUNCTION list_keys_v1(p_project text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.list_keys_v1(p_project text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.list_keys_v1(p_project text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.list_keys_v1(p_project text) TO fleet_admin;

--
-- Name: FUNCTION make_partitions_v1(p_days_ahead integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.make_partitions_v1(p_days_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.make_partitions_v1(p_days_ahead integer) TO fleet_scheduler;

--
-- Name: FUNCTION new_id(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.new_id() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.new_id() TO fleet_owner;

--
-- Name: FUNCTION new_ids(p_count integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.new_ids(p_count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.new_ids(p_count integer) TO fleet_owner;

--
-- Name: FUNCTION pause_v1(p_project uuid, p_paused boolean, p_priority text, p_kind text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text, p_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text, p_kind text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text, p_kind text) TO fleet_api;

--
-- Name: FUNCTION policy_v1(p_cause text, p_policy jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.policy_v1(p_cause text, p_policy jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.policy_v1(p_cause text, p_policy jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.policy_v1(p_cause text, p_policy jsonb) TO fleet_api;
GRANT ALL ON FUNCTION fleet.policy_v1(p_cause text, p_policy jsonb) TO fleet_admin;

--
-- Name: FUNCTION project_v1(p_project text, p_fields jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.project_v1(p_project text, p_fields jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.project_v1(p_project text, p_fields jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.project_v1(p_project text, p_fields jsonb) TO fleet_admin;

--
-- Name: FUNCTION promote_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.promote_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.promote_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.promote_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION prune_v1(p_keep_days integer, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.prune_v1(p_keep_days integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.prune_v1(p_keep_days integer, p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) TO fleet_api;

--
-- Name: FUNCTION quarantine_v1(p_kind text, p_on boolean, p_reason text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.quarantine_v1(p_kind text, p_on boolean, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.quarantine_v1(p_kind text, p_on boolean, p_reason text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.quarantine_v1(p_kind text, p_on boolean, p_reason text) TO fleet_api;
GRANT ALL ON FUNCTION fleet.quarantine_v1(p_kind text, p_on boolean, p_reason text) TO fleet_admin;

--
-- Name: FUNCTION rank_v1(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.rank_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.rank_v1() TO fleet_owner;
GRANT ALL ON FUNCTION fleet.rank_v1() TO fleet_scheduler;

--
-- Name: FUNCTION reap_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.reap_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.reap_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.reap_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION release_v1(p_session uuid, p_secret text, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_agent;

--
-- Name: FUNCTION remove_blobs_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.remove_blobs_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.remove_blobs_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.remove_blobs_v1(p_limit integer) TO fleet_api;

--
-- Name: FUNCTION report_v1(p_session uuid, p_secret text, p_reports jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) TO fleet_agent;

--
-- Name: FUNCTION reserve_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.reserve_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.reserve_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.reserve_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) TO fleet_api;

--
-- Name: FUNCTION reserve_v1(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.reserve_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.reserve_v1() TO fleet_owner;
GRANT ALL ON FUNCTION fleet.reserve_v1() TO fleet_scheduler;

--
-- Name: FUNCTION retry_v1(p_project uuid, p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) TO fleet_api;

--
-- Name: FUNCTION revoke_key_v1(p_prefix text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.revoke_key_v1(p_prefix text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.revoke_key_v1(p_prefix text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.revoke_key_v1(p_prefix text) TO fleet_admin;

--
-- Name: FUNCTION rotate_key_v1(p_prefix text, p_overlap_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.rotate_key_v1(p_prefix text, p_overlap_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.rotate_key_v1(p_prefix text, p_overlap_s double precision) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.rotate_key_v1(p_prefix text, p_overlap_s double precision) TO fleet_admin;

--
-- Name: FUNCTION state_of(p_job uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.state_of(p_job uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.state_of(p_job uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.state_of(p_job uuid) TO fleet_reader;

--
-- Name: FUNCTION submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text) TO fleet_api;

--
-- Name: FUNCTION tick_v1(p_schedule uuid, p_tick timestamp with time zone, p_next timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.tick_v1(p_schedule uuid, p_tick timestamp with time zone, p_next timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.tick_v1(p_schedule uuid, p_tick timestamp with time zone, p_next timestamp with time zone) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.tick_v1(p_schedule uuid, p_tick timestamp with time zone, p_next timestamp with time zone) TO fleet_scheduler;

--
-- Name: FUNCTION waive_erasure_v1(p_erasure uuid, p_node text, p_reason text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.waive_erasure_v1(p_erasure uuid, p_node text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.waive_erasure_v1(p_erasure uuid, p_node text, p_reason text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.waive_erasure_v1(p_erasure uuid, p_node text, p_reason text) TO fleet_api;
GRANT ALL ON FUNCTION fleet.waive_erasure_v1(p_erasure uuid, p_node text, p_reason text) TO fleet_admin;

--
-- Name: FUNCTION wake_v1(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.wake_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_owner;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_agent;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_api;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_scheduler;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_admin;

--
-- Name: FUNCTION webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) TO fleet_scheduler;

--
-- Name: FUNCTION why_v1(p_project uuid, p_job uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.why_v1(p_project uuid, p_job uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.why_v1(p_project uuid, p_job uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.why_v1(p_project uuid, p_job uuid) TO fleet_api;
GRANT ALL ON FUNCTION fleet.why_v1(p_project uuid, p_job uuid) TO fleet_reader;

--
-- Name: TABLE jobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.jobs TO fleet_exec;

--
-- Name: TABLE artifacts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.artifacts TO fleet_exec;

--
-- Name: TABLE attempts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.attempts TO fleet_exec;

--
-- Name: TABLE attempts_default; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.attempts_default TO fleet_exec;

--
-- Name: TABLE audit; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.audit TO fleet_exec;

--
-- Name: SEQUENCE audit_audit_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.audit_audit_id_seq TO fleet_exec;

--
-- Name: TABLE blobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.blobs TO fleet_exec;

--
-- Name: TABLE cap_returns; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.cap_returns TO fleet_exec;

--
-- Name: TABLE charges; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.charges TO fleet_exec;

--
-- Name: TABLE checkpoints; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.checkpoints TO fleet_exec;

--
-- Name: TABLE dependencies; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.dependencies TO fleet_exec;

--
-- Name: TABLE devices; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.devices TO fleet_exec;

--
-- Name: TABLE erasure_files; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.erasure_files TO fleet_exec;

--
-- Name: TABLE erasure_nodes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.erasure_nodes TO fleet_exec;

--
-- Name: TABLE forecast_scores; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.forecast_scores TO fleet_exec;

--
-- Name: SEQUENCE forecast_scores_score_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.forecast_scores_score_id_seq TO fleet_exec;

--
-- Name: TABLE forecasts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.forecasts TO fleet_exec;

--
-- Name: TABLE idempotency; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.idempotency TO fleet_exec;

--
-- Name: TABLE idle_sessions; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.idle_sessions TO fleet_exec;

--
-- Name: TABLE job_events; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.job_events TO fleet_exec;

--
-- Name: TABLE job_events_default; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.job_events_default TO fleet_exec;

--
-- Name: SEQUENCE lanes_lane_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.lanes_lane_id_seq TO fleet_exec;

--
-- Name: TABLE leases; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.leases TO fleet_exec;

--
-- Name: SEQUENCE log_id; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.log_id TO fleet_exec;

--
-- Name: TABLE logs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.logs TO fleet_exec;

--
-- Name: TABLE logs_default; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.logs_default TO fleet_exec;

--
-- Name: TABLE needs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.needs TO fleet_exec;

--
-- Name: SEQUENCE needs_need_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.needs_need_id_seq TO fleet_exec;

--
-- Name: TABLE node_health; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.node_health TO fleet_exec;

--
-- Name: TABLE nodes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.nodes TO fleet_exec;

--
-- Name: SEQUENCE nodes_node_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.nodes_node_id_seq TO fleet_exec;

--
-- Name: TABLE observations; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.observations TO fleet_exec;

--
-- Name: TABLE paused_kinds; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.paused_kinds TO fleet_exec;

--
-- Name: SEQUENCE rankings_era_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.rankings_era_seq TO fleet_exec;

--
-- Name: TABLE ready; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.ready TO fleet_exec;

--
-- Name: TABLE reaper; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.reaper TO fleet_exec;

--
-- Name: TABLE reservations; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.reservations TO fleet_exec;

--
-- Name: TABLE retry_policies; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.retry_policies TO fleet_exec;

--
-- Name: TABLE schedules; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.schedules TO fleet_exec;

--
-- Name: TABLE session_beats; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.session_beats TO fleet_exec;

--
-- Name: TABLE settings; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.settings TO fleet_exec;

--
-- Name: SEQUENCE shapes_shape_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.shapes_shape_id_seq TO fleet_exec;

--
-- Name: TABLE shares; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.shares TO fleet_exec;

--
-- Name: TABLE start_by; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.start_by TO fleet_exec;

--
-- Name: TABLE tallies; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.tallies TO fleet_exec;

--
-- Name: TABLE turns; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.turns TO fleet_exec;

--
-- Name: TABLE v_artifacts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_artifacts TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_artifacts TO fleet_reader;

--
-- Name: TABLE v_attempts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_attempts TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_attempts TO fleet_reader;

--
-- Name: TABLE v_audit; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_audit TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_audit TO fleet_reader;

--
-- Name: TABLE v_blobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_blobs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_blobs TO fleet_reader;

--
-- Name: TABLE v_calibration; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_calibration TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_calibration TO fleet_reader;

--
-- Name: TABLE v_dead; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_dead TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_dead TO fleet_reader;

--
-- Name: TABLE v_devices; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_devices TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_devices TO fleet_reader;

--
-- Name: TABLE v_erasures; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_erasures TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_erasures TO fleet_reader;

--
-- Name: TABLE v_events; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_events TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_events TO fleet_reader;

--
-- Name: TABLE v_failures; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_failures TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_failures TO fleet_reader;

--
-- Name: TABLE v_nodes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_nodes TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_nodes TO fleet_reader;

--
-- Name: TABLE v_fleet; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_fleet TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_fleet TO fleet_reader;

--
-- Name: TABLE v_forecast; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_forecast TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_forecast TO fleet_reader;

--
-- Name: TABLE waiting; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.waiting TO fleet_exec;

--
-- Name: TABLE v_jobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_jobs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_jobs TO fleet_reader;

--
-- Name: TABLE v_kinds; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_kinds TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_kinds TO fleet_reader;

--
-- Name: TABLE v_logs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_logs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_logs TO fleet_reader;

--
-- Name: TABLE v_metrics; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_metrics TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_metrics TO fleet_reader;

--
-- Name: TABLE v_needs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_needs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_needs TO fleet_reader;

--
-- Name: TABLE v_places; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_places TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_places TO fleet_reader;

--
-- Name: TABLE v_policies; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_policies TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_policies TO fleet_reader;

--
-- Name: TABLE v_projects; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_projects TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_projects TO fleet_reader;

--
-- Name: TABLE v_queue; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_queue TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_queue TO fleet_reader;

--
-- Name: TABLE v_reaper; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_reaper TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_reaper TO fleet_reader;

--
-- Name: TABLE v_running; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_running TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_running TO fleet_reader;

--
-- Name: TABLE v_schedules; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_schedules TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_schedules TO fleet_reader;

--
-- Name: TABLE v_shares; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_shares TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_shares TO fleet_reader;

--
-- Name: TABLE v_waiting; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_waiting TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_waiting TO fleet_reader;

--
-- Name: TABLE webhook_deliveries; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.webhook_deliveries TO fleet_exec;

--
-- Name: SEQUENCE webhook_deliveries_delivery_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.webhook_deliveries_delivery_id_seq TO fleet_exec;

--
-- PostgreSQL database dump complete
--
