-- The next entries of an audit trail: taken from the queue, bound to the entry before, or nothing where somebody was faster.
-- KEYS: queue (list), trail (list), head
-- ARGV: head that stands, head to be, how many leave the queue, and each entry
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[1] then return 0 end
for i = 4, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
redis.call('SET', KEYS[3], ARGV[2])
return 1
