-- Makes one step of a receiver's breaker (a pause after failures): see `Breakers` in breaker.py.
-- KEYS: the breaker (hash: failures in a row; `until`, the end of the pause; `opened`, its begin), the set of the
-- receivers that have a pause
-- ARGV: the step, and the number of failures after which a pause begins. "ask" also has the ms in which one attempt
-- is made after a pause, and the longest pause; "failed" the receiver, the first pause, the longest pause, and the
-- time at which the attempt began; "succeeded" and "probe" the receiver.
-- Times are in ms, by the store's clock. "ask" returns 0 if the receiver may be called, otherwise the time at which
-- to ask again; the other steps return the number of failures in a row.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function field(name) return tonumber(redis.call('HGET', KEYS[1], name) or 0) end
local failures, most = field('failures'), tonumber(ARGV[2])
if ARGV[1] == 'ask' then
  if failures < most then return 0 end
  local ends = field('until')
  -- A rest of the pause that is longer than the longest pause shows that the clock was set back: the pause is over.
  if now < ends and ends - now <= tonumber(ARGV[4]) then return ends end
  redis.call('HSET', KEYS[1], 'until', now + ARGV[3])
  return 0
end
if ARGV[1] == 'succeeded' then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[3])
  return failures
end
if ARGV[1] == 'probe' then
  if failures >= most then redis.call('HSET', KEYS[1], 'until', 0) end
  return failures
end
if tonumber(ARGV[6]) < field('opened') then return 0 end
failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('PEXPIRE', KEYS[1], 86400000)
if failures < most then return failures end
local pause = math.min(ARGV[4] * 2 ^ math.min(failures - most, 20), ARGV[5])
redis.call('HSET', KEYS[1], 'opened', now, 'until', now + pause)
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], 86400000)
return failures
