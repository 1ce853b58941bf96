-- _named_files: the files that the inputs of a job or of a schedule's job name by their sha256; outputs of jobs are not among
-- them. Bound when it is made, so that it needs no SET and is inlined.
create function fleet._named_files(p_inputs jsonb)
  returns table (sha256 text)
  language sql
  immutable
begin atomic
  select i.file ->> 'sha256'
    from jsonb_each(case when jsonb_typeof(p_inputs) = 'object' then p_inputs end) as i (name, file)
   where i.file ? 'sha256';
end;
