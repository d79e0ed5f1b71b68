-- Carries out commands together, or none of them if a value has changed since the caller read it.
-- KEYS: all keys of the commands.
-- ARGV: the number of checks; for each check, a command and the text that it must return ("false" for no value); then
-- the commands to carry out. Each command is written as the number of its words, and then the words.
-- Returns 1; 0 if a check has returned another text, so that nothing was carried out.
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
