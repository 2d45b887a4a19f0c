import type { Rows } from './hub-database.ts'

type Query = (sql: string, parameters?: readonly unknown[]) => Promise<Rows>

/** Days of the log, and of the sums. */
export const DAYS = 30
const LINES_A_STEP = 50_000

/**
 * Fills a hub's database with a month: a million lines of the log in a table a day, an hour of each device for the last day and a day for
 * all of them, with histograms, the hours of 200 sites, a hundred stretches at addresses for each device. Devices are there already.
 */
export async function fillMonth(query: Query, lines: number): Promise<void> {
  await query('set statement_timeout = 0')
  await query(`do $$ declare day timestamptz; begin
    for i in 0..${DAYS} loop
      day := date_trunc('day', now(), 'UTC') - make_interval(days => i);
      execute format('create table if not exists request_logs_d%s partition of request_logs for values from (%L) to (%L)',
        to_char(day at time zone 'UTC', 'YYYYMMDD'), day, day + interval '1 day');
    end loop; end $$`)
  const [counted] = await query('select count(*)::int as devices from proxy_devices')
  // In steps, so that an interrupted run ends soon.
  for (let from = 0; from < lines; from += LINES_A_STEP)
    await query(`insert into request_logs (device_id, device_name, client_ip, target_url, site, method, status_code, response_time_ms, external_ip,
      request_size, response_size, outcome, attempt, created_at)
    select d.id, 'phone', '10.0.0.9', 'shop-' || n % 200 || '.example/path/' || n, 'shop-' || n % 200 || '.example', 'GET', 200,
      50 + n % 900, '112.161.54.7', 0, 20000, case when n % 50 = 0 then 'banned' else 'answered' end, 1,
      now() - make_interval(secs => n * ${DAYS * 86_400 - 3_600}.0 / ${lines})
    from generate_series(${from}, ${Math.min(from + LINES_A_STEP, lines) - 1}) as n
    join (select id, row_number() over () - 1 as place from proxy_devices) as d on d.place = (n::bigint * 7919) % ${counted?.devices}`)
  const counters = `20, 18, 1, 1, 6000, 0, 400000, array_fill(0, array[12]) || array[3, 5, 4, 3, 2, 1, 1, 1]`
  await query(`insert into usage_stats (device_id, hour, requests_count, successful_requests, banned_requests, failed_requests,
      response_time_ms_sum, request_bytes, response_bytes, latency)
    select d.id, date_trunc('hour', now()) - make_interval(hours => h), ${counters} from proxy_devices d, generate_series(0, 24) as h
    on conflict do nothing`)
  await query(`insert into usage_reporters (device_id, reporter, date, requests_count, successful_requests, banned_requests, failed_requests,
      response_time_ms_sum, request_bytes, response_bytes, latency)
    select d.id, d.id, date_trunc('day', now(), 'UTC') - make_interval(days => n), ${counters} from proxy_devices d, generate_series(0, ${DAYS}) as n on conflict do nothing`)
  await query(`insert into usage_sites (site, hour, requests_count, successful_requests, banned_requests, failed_requests,
      response_time_ms_sum, request_bytes, response_bytes, latency)
    select case s when 0 then '' else 'shop-' || s || '.example' end, date_trunc('hour', now()) - make_interval(hours => h), ${counters}
    from generate_series(0, 200) as s, generate_series(0, ${DAYS * 24}) as h on conflict do nothing`)
  await query(`insert into ip_history (device_id, ip_address, first_seen, last_seen)
    select d.id, ('10.' || n % 250 || '.' || (n * 31 + d.weight::int) % 250 || '.' || n % 200)::inet, at, at + interval '7 hours'
    from proxy_devices d, generate_series(1, 100) as n, lateral (select now() - make_interval(hours => n * 7) as at) as times
    on conflict do nothing`)
  await query('analyze')
}
