-- A new epoch of an organisation's stream, where the head is still as it was found; nothing where somebody was faster.
-- KEYS: head, stream
-- ARGV: the head's field that was found ('epoch' or 'store'), what it held ('' for nothing), the new epoch,
--       and which store this is, or '' where that is not known
if not redis.call('HGET', KEYS[1], 'epoch') then return 0 end
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
-- A head that is older than its stream could never add to it.
if last > seq then
  redis.call('HSET', KEYS[1], 'seq', string.format('%.0f', last))
  redis.call('HDEL', KEYS[1], 'mark')
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'store', ARGV[4]) end
return 1
