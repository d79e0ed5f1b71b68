-- Carries out commands whose effects live only in the memory of this server: they are not written to its file, and not
-- sent to its copies. So they cost no access to the disk.
-- KEYS: all keys of the commands. ARGV: the commands, each as the number of its words, and its words.
-- Returns the reply to the first command.
redis.set_repl(redis.REPL_NONE)
local at, first = 1, nil
while at <= #ARGV do
  local words, count = {}, tonumber(ARGV[at])
  for i = 1, count do words[i] = ARGV[at + i] end
  local reply = redis.call(unpack(words))
  if at == 1 then first = reply end
  at = at + count + 1
end
return first
