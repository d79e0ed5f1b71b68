-- Moves entries from an organisation's queue to its audit log, in which each entry contains the hash of the one before.
-- Does nothing if the stored head is not the expected one, because another worker has written to the log first. The
-- head records the first and the last entry of the log.
-- KEYS: the queue (list), the log (list), the head (string)
-- ARGV: the expected head, the new head, the number of entries to remove from the queue, and each entry to add to the
-- log
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[1] then return 0 end
for i = 4, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
redis.call('SET', KEYS[3], ARGV[2])
return 1
