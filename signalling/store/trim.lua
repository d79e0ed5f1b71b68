-- Removes the oldest entries of an audit log and writes its new sealed head. Does nothing if the head has changed,
-- because another worker was faster.
-- KEYS: log (list), head
-- ARGV: current head, new head, how many entries to remove
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
redis.call('SET', KEYS[2], ARGV[2])
return 1
