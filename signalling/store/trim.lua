-- The oldest entries of an audit trail go, and its sealed beginning moves on; nothing where somebody was faster.
-- KEYS: trail (list), head
-- ARGV: head that stands, head to be, how many go
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
redis.call('SET', KEYS[2], ARGV[2])
return 1
