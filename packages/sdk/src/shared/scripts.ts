import { createHash } from 'node:crypto'

/** A Lua script that Redis runs as one step. */
export interface Script {
  readonly text: string
  readonly sha1: string
}

const script = (text: string): Script => ({ text, sha1: createHash('sha1').update(text).digest('hex') })

/** By Redis' own clock: those of the processes differ. Milliseconds; a double holds them with their fraction until the year 10000. */
const NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local function lives(process)
  local ends = redis.call('ZSCORE', KEYS[1], process)
  return ends and tonumber(ends) > now
end
`

/**
 * Gives a process the first of its candidates that has room, and counts the request: in flight, and against the pace (GCRA).
 *
 * KEYS: processes; session; then for each candidate its counts (a hash, process: requests in flight) and its pace (until when it is used up).
 * ARGV: process; session wish ('' none, '=' begins one, '=ID' it was on that device when this process asked last); session TTL, ms; then
 * for each candidate its id, requests in flight, ms of a request's cell (0: no pace), ms of burst.
 *
 * What a process that is over held is not counted, and is forgotten. Returns
 * {'granted', number of the candidate, ms until its pace is used up}, {'session', device id}: the session is there, which is no candidate or has no
 * room and is not the first;
 * {'full', for each candidate the ms until it may begin one, -1: until somebody releases one}, or {'dead'}: the process is not known (any more).
 */
export const claimScript = script(`${NOW}
if not lives(ARGV[1]) then return {'dead'} end
local count = (#KEYS - 2) / 2
local only = 0
if ARGV[2] ~= '' then
  local device = redis.call('GET', KEYS[2])
  if device and '=' .. device ~= ARGV[2] then
    for i = 1, count do
      if ARGV[4 * i] == device then only = i end
    end
    if only == 0 then return {'session', device} end
  end
end
local full = {'full'}
for i = 1, count do
  local wait = 0
  if only == 0 or only == i then
    local counts, pace = KEYS[2 * i + 1], KEYS[2 * i + 2]
    local limit, cell, burst = tonumber(ARGV[4 * i + 1]), tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3])
    local used = 0
    local fields = redis.call('HGETALL', counts)
    for f = 1, #fields, 2 do
      if lives(fields[f]) then used = used + fields[f + 1] else redis.call('HDEL', counts, fields[f]) end
    end
    local paced = math.max(tonumber(redis.call('GET', pace) or '0'), now)
    if used >= limit then
      wait = -1
    elseif cell > 0 and paced - burst > now then
      wait = math.ceil(paced - burst - now)
    else
      redis.call('HINCRBY', counts, ARGV[1], 1)
      redis.call('PEXPIRE', counts, 86400000)
      local ahead = 0
      if cell > 0 then
        paced = paced + cell
        ahead = math.ceil(paced - now)
        redis.call('SET', pace, string.format('%.3f', paced), 'PX', ahead + 1000)
      end
      if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[4 * i], 'PX', ARGV[3]) end
      return {'granted', i, ahead}
    end
    full[#full + 1] = wait
  else
    full[#full + 1] = 0
  end
end
if only > 1 then return {'session', ARGV[4 * only]} end
return full
`)

/** KEYS: counts of the device. ARGV: process. One request of it is over. */
export const releaseScript = script(`
if redis.call('HINCRBY', KEYS[1], ARGV[1], -1) <= 0 then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
`)

/**
 * The process lives on. KEYS: processes; then counts of devices. ARGV: process; for how long, ms; '1': it is a new one; then for each device how
 * many requests it has there. Returns 1, or 0 when it was forgotten already: what it held has gone to others, and it must come as a new one.
 */
export const liveScript = script(`${NOW}
if ARGV[3] == '0' and not lives(ARGV[1]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
for i = 2, #KEYS do
  redis.call('HSET', KEYS[i], ARGV[1], ARGV[i + 2])
  redis.call('PEXPIRE', KEYS[i], 86400000)
end
return 1
`)

/** The process goes in good order. KEYS: processes. ARGV: process. */
export const leaveScript = script(`return redis.call('ZREM', KEYS[1], ARGV[1])`)

/** KEYS: session. ARGV: device. The session is over, unless it has moved to another device. */
export const endSessionScript = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

/**
 * Tells the others of a quarantine. KEYS: quarantines (a sorted set, exit IP and site: until when). ARGV: channel; exit IP and site; for how long,
 * ms, 0: it is over; who tells.
 */
export const tellBanScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[3] == '0' then redis.call('ZREM', KEYS[1], ARGV[2])
else redis.call('ZADD', KEYS[1], 'GT', now + ARGV[3], ARGV[2]) end
redis.call('PUBLISH', ARGV[1], ARGV[4] .. ' ' .. ARGV[3] .. ' ' .. ARGV[2])
return 1
`)

/** All quarantines that last. KEYS: quarantines. Returns exit IP and site, ms that are left, and so on. */
export const listBansScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local found = redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf', 'WITHSCORES')
for i = 2, #found, 2 do found[i] = math.ceil(found[i] - now) end
return found
`)
