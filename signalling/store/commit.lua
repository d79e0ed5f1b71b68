-- Writes one change of a visit, of staff or of chat: the record, its indexes, and its event in the organisation's
-- stream, which is also published; or writes nothing if the record has another version or mark than expected.
-- KEYS: the record, the index of open records (sorted set), the deadlines (sorted set), the head (hash with the number
-- and the mark of the newest event, and the stream's epoch), the stream, the history (list), the audit queue (list),
-- the resume token of the requesting connection (any key if there is none), and sorted sets to which members are added
-- ARGV: the expected version, the new version, the encrypted record, the event, the channel, the record's id, the index
-- score or '', the deadline in ms or '', the greatest length of the stream, the epoch to begin with if there is none,
-- the encrypted history entry or '', the encrypted audit entry or '', the generation of the requesting connection or
-- '', the expected mark of the record (its first bytes, which no other record has) or '', and a score and a member for
-- each sorted set.
-- A score that begins with '>' is raised above all scores of its set, so that the order does not depend on a clock.
-- Returns {1, number of the event, epoch}; {0, current version} if the version was another one; {-1} if a newer socket
-- uses the connection. An expired token is no reason to refuse.
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
if ARGV[14] ~= '' and string.sub(redis.call('HGET', KEYS[1], 'record'), 1, 32) ~= ARGV[14] then return {0, held} end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'record', ARGV[3])
if ARGV[7] ~= '' then put(KEYS[2], ARGV[7], ARGV[6]) else redis.call('ZREM', KEYS[2], ARGV[6]) end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[3], ARGV[8], ARGV[6]) else redis.call('ZREM', KEYS[3], ARGV[6]) end
if ARGV[11] ~= '' then redis.call('RPUSH', KEYS[6], ARGV[11]) end
if ARGV[12] ~= '' then redis.call('RPUSH', KEYS[7], ARGV[12]) end
local seq = redis.call('HINCRBY', KEYS[4], 'seq', 1)
local epoch = redis.call('HGET', KEYS[4], 'epoch')
redis.call('HSET', KEYS[4], 'mark', string.sub(ARGV[3], 1, 32))
if not epoch then epoch = ARGV[10]; redis.call('HSET', KEYS[4], 'epoch', epoch) end
for i = 9, #KEYS do put(KEYS[i], ARGV[15 + (i - 9) * 2], ARGV[16 + (i - 9) * 2]) end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], seq .. '-0', 'e', ARGV[4])
redis.call('PUBLISH', ARGV[5], seq .. ' ' .. epoch .. ' ' .. ARGV[4])
return {1, seq, epoch}
