-- Commands that are carried out together, or not at all if something has changed since it was read.
-- KEYS: all keys of the commands. ARGV: the number of checks; each check, a command and its reply as a text ("false" for
-- none); the commands. A command is the number of its words, and its words.
-- Returns 1, or 0 if a reply was another one.
local at = 2
local function call()
  local words, count = {}, tonumber(ARGV[at])
  for i = 1, count do words[i] = ARGV[at + i] end
  at = at + count + 1
  return redis.call(unpack(words))
end
for _ = 1, tonumber(ARGV[1]) do
  if tostring(call()) ~= ARGV[at] then return 0 end
  at = at + 1
end
while at <= #ARGV do call() end
return 1
