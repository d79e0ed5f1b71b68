-- Moves a deadline, or removes it, unless a commit has set it since it was read.
-- KEYS: deadlines (zset). ARGV: visit, score that was read, new score or '' to remove
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '-1') ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
