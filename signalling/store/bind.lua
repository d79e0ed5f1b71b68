-- Moves entries from the queue to the audit log, where each is bound to the entry before it. Does nothing if the head
-- has changed, because another worker was faster.
-- KEYS: queue (list), log (list), head
-- ARGV: current head, new head, how many entries leave the queue, and each entry
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[1] then return 0 end
for i = 4, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
redis.call('SET', KEYS[3], ARGV[2])
return 1
