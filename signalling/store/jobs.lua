-- Makes one step of a job queue, which the first argument names: see `Jobs` in jobs.py.
-- KEYS: due (sorted set: each job, by the time at which it is due), tries (hash: digest of a job -> its attempts, the
-- time of the first one, the reason of the last failure), dead (sorted set: the jobs that were given up), clock (the
-- time of an earlier "take")
-- ARGV: the step, then its arguments. All times are in ms, by the store's clock.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due, tries, dead = KEYS[1], KEYS[2], KEYS[3]
local step, member = ARGV[1], ARGV[2]
local function forget(m)
  local digest = redis.sha1hex(m)
  redis.call('HDEL', tries, digest .. ':n', digest .. ':at', digest .. ':why')
  local gone = redis.call('ZREM', due, m)
  if redis.call('EXISTS', due) == 0 then redis.call('DEL', KEYS[4]) end
  return gone
end
if step == 'take' then
  local found = {}
  local back = tonumber(redis.call('GET', KEYS[4]) or now) - now
  if back > 0 then
    -- The store's clock was set back. Jobs that are due or leased would wait too long, so their times are set back as
    -- well.
    local waiting = redis.call('ZRANGEBYSCORE', due, now, now + back + ARGV[3], 'WITHSCORES')
    for i = 1, #waiting, 2 do redis.call('ZADD', due, waiting[i + 1] - back, waiting[i]) end
  end
  -- The time is not written at each "take", because every write goes to the disk.
  if (back > 0 or back < -10000 or redis.call('EXISTS', KEYS[4]) == 0) and redis.call('EXISTS', due) == 1 then
    redis.call('SET', KEYS[4], now)
  end
  for _, m in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, ARGV[2])) do
    local digest = redis.sha1hex(m)
    redis.call('HSETNX', tries, digest .. ':at', now)
    local n = redis.call('HINCRBY', tries, digest .. ':n', 1)
    redis.call('ZADD', due, now + ARGV[3], m)
    found[#found + 1] = {m, n, tonumber(redis.call('HGET', tries, digest .. ':at'))}
  end
  return {now, found}
end
if step == 'later' then
  if redis.call('ZADD', due, 'XX', 'CH', ARGV[3], member) == 1 and ARGV[4] ~= '' then
    redis.call('HSET', tries, redis.sha1hex(member) .. ':why', ARGV[4])
  end
  return 0
end
if step == 'soon' then
  -- A worker may be running a job that is due within the time of a lease, so such a job is not changed.
  local moved = 0
  for i = 3, #ARGV do
    local at = redis.call('ZSCORE', due, ARGV[i])
    if at and tonumber(at) > now + ARGV[2] then
      redis.call('ZADD', due, now, ARGV[i])
      moved = moved + 1
    end
  end
  return moved
end
if step == 'again' then
  if redis.call('ZREM', dead, member) == 0 then return 0 end
  return redis.call('ZADD', due, now, ARGV[3])
end
if step == 'off' then
  -- The job was not attempted, so this lease does not count as an attempt.
  if redis.call('ZADD', due, 'XX', 'CH', ARGV[3], member) == 1 then
    redis.call('HINCRBY', tries, redis.sha1hex(member) .. ':n', -1)
  end
  return 0
end
if step == 'reseal' then
  -- While a worker may have leased the job, its bytes stay the same: the worker could not mark changed bytes as done,
  -- and the job would run twice.
  local score, digest = tonumber(redis.call('ZSCORE', due, member) or nil), redis.sha1hex(member)
  local n, at, why = unpack(redis.call('HMGET', tries, digest .. ':n', digest .. ':at', digest .. ':why'))
  if not score or (n and score > now and score <= now + ARGV[4]) then return 0 end
  redis.call('ZADD', due, string.format('%.0f', score), ARGV[3])
  forget(member)
  digest = redis.sha1hex(ARGV[3])
  if n then redis.call('HSET', tries, digest .. ':n', n) end
  if at then redis.call('HSET', tries, digest .. ':at', at) end
  if why then redis.call('HSET', tries, digest .. ':why', why) end
  return 1
end
if step == 'done' then return forget(member) end
if step == 'dead' and forget(member) == 1 then
  redis.call('ZADD', dead, now, ARGV[5])
  redis.call('ZREMRANGEBYSCORE', dead, '-inf', now - ARGV[4])
  redis.call('ZREMRANGEBYRANK', dead, 0, -1 - ARGV[3])
end
return 0
