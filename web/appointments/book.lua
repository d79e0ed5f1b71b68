-- Holds a time for a visitor, or writes an appointment; changes nothing if `capacity` other visits have the time
-- already.
-- KEYS: the taken times (sorted set: id by start), their spans (hash: id -> "end expiry"; the expiry 0 means never),
-- the appointment's record (hash), the index of appointments (sorted set: id by start), the jobs (sorted set), the
-- times that one visitor holds (sorted set: id by expiry)
-- ARGV: the id of the hold or appointment; the id of a hold that ends now, or ''; the start to take, '' for none (a
-- cancelled appointment); its end; the capacity; for how many ms it is held, 0 for an appointment; the length of the
-- longest visit; the most times that one visitor may hold; the expected version of the record, '' for a hold; the new
-- version; the encrypted record; the appointment's start; then pairs of a job's due time and the job
-- All times are in ms.
-- Returns {'ok', expiry}; {'full'} if the time is not free; {'many'} if the visitor holds too many times;
-- {'overtaken'} if the record has another version.
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
