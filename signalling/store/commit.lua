-- One commit: the record, its indexes, the stream entry and the publication, or nothing.
-- KEYS: record, index (zset of open ones), deadlines (zset), head (seq, epoch and the newest event's mark), stream,
--       history (list), audit queue (list), resume token of the requesting connection (any key if none), and sorted sets
--       to add to
-- ARGV: expected version, new version, sealed record, event, channel, member, index score or '', deadline or '',
--       stream length, epoch to begin with, sealed history entry or '', sealed audit entry
--       or '', generation of the requesting connection or '', and for each sorted set a score and a member.
--       A score that begins with '>' is raised above all scores of the set: the order does not depend on a clock.
-- Returns {1, seq, epoch}, {0, current version}, or {-1} if the connection has been resumed since (a token that has
-- expired proves nothing).
if ARGV[13] ~= '' then
  local generation = redis.call('HGET', KEYS[8], 'generation')
  if generation and tonumber(generation) > tonumber(ARGV[13]) then return {-1} end
end
local function put(key, score, member)
  if string.sub(score, 1, 1) == '>' then
    score = tonumber(string.sub(score, 2))
    local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
    if last and tonumber(last) >= score then score = tonumber(last) + 1 end
    score = string.format('%.0f', score)
  end
  redis.call('ZADD', key, score, member)
end
local held = redis.call('HGET', KEYS[1], 'version') or '0'
if held ~= ARGV[1] then return {0, held} end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'record', ARGV[3])
if ARGV[7] ~= '' then put(KEYS[2], ARGV[7], ARGV[6]) else redis.call('ZREM', KEYS[2], ARGV[6]) end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[3], ARGV[8], ARGV[6]) else redis.call('ZREM', KEYS[3], ARGV[6]) end
if ARGV[11] ~= '' then redis.call('RPUSH', KEYS[6], ARGV[11]) end
if ARGV[12] ~= '' then redis.call('RPUSH', KEYS[7], ARGV[12]) end
local seq = redis.call('HINCRBY', KEYS[4], 'seq', 1)
local epoch = redis.call('HGET', KEYS[4], 'epoch')
redis.call('HSET', KEYS[4], 'mark', string.sub(ARGV[3], 1, 32))
if not epoch then epoch = ARGV[10]; redis.call('HSET', KEYS[4], 'epoch', epoch) end
for i = 9, #KEYS do put(KEYS[i], ARGV[14 + (i - 9) * 2], ARGV[15 + (i - 9) * 2]) end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], seq .. '-0', 'e', ARGV[4])
redis.call('PUBLISH', ARGV[5], seq .. ' ' .. epoch .. ' ' .. ARGV[4])
return {1, seq, epoch}
