-- When jobs will start and finish, and how far that can be trusted.
create view fleet.v_forecast as
select f.job_id, p.name as project, j.kind, j.name, fleet.state_of(f.job_id) as state, f.start_p50, f.start_p90, f.finish_p50,
       f.finish_p90, f.made_at
  from fleet.forecasts as f
  join fleet.jobs as j on j.job_id = f.job_id
  join fleet.projects as p on p.project_id = j.project_id
 where j.outcome is null;
comment on view fleet.v_forecast is 'The newest forecast of what is queued or runs; order by start_p50.';

create view fleet.v_calibration as
select s.what, count(*) as judged, round(avg(s.held::integer)::numeric, 3) as p90_held,
       round(exp(percentile_cont(0.5) within group (order by s.off))::numeric, 2) as took_over_said,
       min(s.at) as since
  from (select s.*, row_number() over (partition by s.what order by s.score_id desc) as place from fleet.forecast_scores as s) as s
 where s.place <= 500
 group by s.what;
comment on view fleet.v_calibration is 'Of the latest 500 forecasts whose truth is known: how many came by the p90 bound they were told.';
