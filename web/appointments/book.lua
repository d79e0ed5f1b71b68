-- One change of the book, or nothing: a time is taken only while fewer than `capacity` others run in it.
-- KEYS: taken (zset: id by start), spans (hash: id -> "ends expires", expires 0 = for good), record, index (zset: id by
--       start), jobs (zset), holder (zset: ids that one visitor holds, by expiry)
-- ARGV: id, id of a hold that this takes the place of, start or '', end, capacity, hold for ms (0 = for good), longest ms,
--       most that a holder may hold, expected version or '', new version, sealed record, start, then pairs due, job
-- Returns {'ok', expiry}, {'full'}, {'many'} or {'overtaken'}.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local id, hold, longest = ARGV[1], ARGV[2], tonumber(ARGV[7])
local starts, ends, keep = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])

local function give_up(one)
  redis.call('ZREM', KEYS[1], one)
  redis.call('HDEL', KEYS[2], one)
  redis.call('ZREM', KEYS[6], one)
end

if ARGV[9] ~= '' and (redis.call('HGET', KEYS[3], 'version') or '0') ~= ARGV[9] then return {'overtaken'} end

if starts then
  local over, moments = {}, {starts}
  local near = redis.call('ZRANGEBYSCORE', KEYS[1], starts - longest, '(' .. ends, 'WITHSCORES')
  for i = 1, #near, 2 do
    local one, from = near[i], tonumber(near[i + 1])
    local to, expires = string.match(redis.call('HGET', KEYS[2], one) or '0 1', '(%d+) (%d+)')
    to, expires = tonumber(to), tonumber(expires)
    if expires > 0 and expires <= now then give_up(one)
    elseif one ~= id and one ~= hold and to > starts then
      over[#over + 1] = {from, to}
      if from > starts then moments[#moments + 1] = from end
    end
  end
  for _, moment in ipairs(moments) do
    local at_once = 0
    for _, one in ipairs(over) do
      if one[1] <= moment and moment < one[2] then at_once = at_once + 1 end
    end
    if at_once >= tonumber(ARGV[5]) then return {'full'} end
  end
end

if keep > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now)
  if redis.call('ZCARD', KEYS[6]) >= tonumber(ARGV[8]) and not redis.call('ZSCORE', KEYS[6], id) then return {'many'} end
end

give_up(id)
if hold ~= '' then give_up(hold) end
local expires = 0
if keep > 0 then
  expires = now + keep
  redis.call('ZADD', KEYS[6], expires, id)
  redis.call('PEXPIREAT', KEYS[6], expires)
end
if starts then
  redis.call('ZADD', KEYS[1], starts, id)
  redis.call('HSET', KEYS[2], id, string.format('%d %d', ends, expires))
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - 2 * longest, 'LIMIT', 0, 20)) do give_up(old) end
if ARGV[9] ~= '' then
  redis.call('HSET', KEYS[3], 'version', ARGV[10], 'record', ARGV[11])
  redis.call('ZADD', KEYS[4], ARGV[12], id)
  for i = 13, #ARGV, 2 do redis.call('ZADD', KEYS[5], ARGV[i], ARGV[i + 1]) end
end
return {'ok', expires}
