-- Sets the deadline of a visit anew, or removes it. Does nothing if the deadline has changed since the caller read it.
-- KEYS: the deadlines (sorted set). ARGV: the visit's id, the deadline in ms that was read, the new one or '' to remove
-- it
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '-1') ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
