-- One step of a receiver's breaker. KEYS: the breaker (hash: failures in a row, `until` and `opened` in ms by the store's
-- clock). ARGV: "ask", failures before a pause, ms of a trial, longest pause; or "failed", failures before a pause, first
-- pause, longest pause, begin of the attempt.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function field(name) return tonumber(redis.call('HGET', KEYS[1], name) or 0) end
local failures, most = field('failures'), tonumber(ARGV[2])
if ARGV[1] == 'ask' then
  if failures < most then return 0 end
  local ends = field('until')
  -- A pause that is longer than any was written before the clock was set back.
  if now < ends and ends - now <= tonumber(ARGV[4]) then return ends end
  redis.call('HSET', KEYS[1], 'until', now + ARGV[3])
  return 0
end
if tonumber(ARGV[5]) < field('opened') then return 0 end
failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('PEXPIRE', KEYS[1], 86400000)
if failures < most then return 0 end
local pause = math.min(ARGV[3] * 2 ^ math.min(failures - most, 20), ARGV[4])
redis.call('HSET', KEYS[1], 'opened', now, 'until', now + pause)
return now + pause
