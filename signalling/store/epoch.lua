-- Begins a new epoch of an organisation's event stream, because events were lost: event numbers of two epochs cannot be
-- compared. Does nothing if the head does not have the expected value, because another worker has begun an epoch first.
-- KEYS: the head (hash with the number of the newest event and the epoch), the stream
-- ARGV: the head's field to compare ('epoch' or 'store'), its expected value ('' for none), the name of the new epoch,
-- and the identity of the store, or '' if unknown
if not redis.call('HGET', KEYS[1], 'epoch') then return 0 end
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
-- Redis refuses an entry whose number is below the stream's newest. So the head's number is raised to the newest:
-- with a lower number, no commit could add its event to the stream.
if last > seq then
  redis.call('HSET', KEYS[1], 'seq', string.format('%.0f', last))
  redis.call('HDEL', KEYS[1], 'mark')
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'store', ARGV[4]) end
return 1
