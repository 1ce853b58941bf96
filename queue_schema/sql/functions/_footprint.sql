-- _footprint: what a job of a shape takes of a fleet, in GiB: its VRAM; host memory and CPU count little, but not nothing, so
-- that work without a GPU is shared fairly too. Times seconds, it is what a project is charged. What says that it needs nothing
-- takes a slot all the same, and is charged as a thousandth of a core.
create function fleet._footprint(p_gpus integer, p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer)
  returns double precision
  language sql
  immutable
  return greatest(p_gpus * p_vram_mib / 1024.0 + p_ram_mib / 16384.0 + p_cpu_milli / 16000.0, 1 / 16000.0);

-- _charge: GiB x seconds that a job of a shape is charged when it is claimed: a minute, while nobody knows better. Never
-- nothing: a turn is counted in it.
create function fleet._charge(p_shape fleet.shapes, p_run_s double precision)
  returns double precision
  language sql
  immutable
  return fleet._footprint(p_shape.gpus, p_shape.vram_mib, p_shape.ram_mib, p_shape.cpu_milli) * greatest(coalesce(p_run_s, 60), 0.001);
