-- Removes the oldest entries of an audit log, and writes its new head, which records the first and the last entry. Does
-- nothing if the stored head is not the expected one, because another worker has written to the log first.
-- KEYS: the log (list), the head (string)
-- ARGV: the expected head, the new head, the number of entries to remove
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
redis.call('SET', KEYS[2], ARGV[2])
return 1
