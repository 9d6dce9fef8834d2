/**
 * The sandbox, in Lua: which globals scripts see, and that they change none of them. Run once in a fresh interpreter,
 * before any script. Gives (1) the table of globals that scripts run in, (2) the table behind it, where the host sets KEYS
 * and ARGV, (3) the error handler, (4) a function that makes a table readable only.
 *
 * Redis patches Lua to have read-only tables; here a protected table is an empty proxy in front of the real one.
 */
export const prelude = `
local real = {}
local allowed = { '_VERSION', 'assert', 'collectgarbage', 'coroutine', 'error', 'gcinfo', 'getfenv', 'ipairs', 'load',
  'loadstring', 'math', 'newproxy', 'next', 'pairs', 'pcall', 'rawequal', 'rawget', 'rawset', 'select', 'setfenv',
  'setmetatable', 'getmetatable', 'string', 'table', 'tonumber', 'tostring', 'type', 'unpack', 'xpcall' }
for _, name in ipairs(allowed) do real[name] = _G[name] end

local dbg, rawset, rawget, type, error, select = debug, rawset, rawget, type, error, select
local setmetatable, getmetatable, tostring, pcall, sub, byte = setmetatable, getmetatable, tostring, pcall, string.sub, string.byte
local loadstring, load, setfenv, getfenv, pairs, next = loadstring, load, setfenv, getfenv, pairs, next
local protected = setmetatable({}, { __mode = 'k' })
local readonly = 'Attempt to modify a readonly table'

local function protect(behind, hidden)
  local index = behind
  if hidden and next(hidden) ~= nil then index = setmetatable(hidden, { __index = behind }) end
  local proxy = setmetatable({}, {
    __index = index,
    __newindex = function() error(readonly, 2) end,
    __metatable = false,
  })
  protected[proxy] = behind
  return proxy
end

for _, name in ipairs({ 'coroutine', 'math', 'string', 'table' }) do real[name] = protect(real[name]) end
getmetatable('').__metatable = false

function real.rawset(t, k, v)
  if protected[t] then error(readonly, 0) end
  return rawset(t, k, v)
end
function real.setmetatable(t, m)
  if protected[t] then error(readonly, 0) end
  return setmetatable(t, m)
end
local stringMetatable = protect({ __index = real.string })
function real.getmetatable(o)
  if type(o) == 'string' then return stringMetatable end
  return getmetatable(o)
end
function real.rawget(t, k)
  return rawget(protected[t] or t, k)
end
function real.next(t, k)
  return next(protected[t] or t, k)
end
function real.pairs(t)
  return next, protected[t] or t, nil
end
function real.setfenv(f, t)
  if f == 0 then error(readonly, 0) end
  if type(f) == 'number' then f = f + 1 end
  return setfenv(f, t)
end
local globals
function real.getfenv(f)
  if f == 0 then return globals end
  if f == nil then f = 1 end
  if type(f) == 'number' then f = f + 1 end
  return getfenv(f)
end
function real.loadstring(code, name)
  if type(code) == 'string' and byte(code, 1) == 27 then return nil, 'attempt to load chunk with wrong mode' end
  local f, err = loadstring(code, name)
  if f then setfenv(f, globals) end
  return f, err
end
function real.load(reader, name)
  local first = true
  local f, err = load(function()
    local piece = reader()
    if first and type(piece) == 'string' and byte(piece, 1) == 27 then error('attempt to load chunk with wrong mode') end
    first = false
    return piece
  end, name)
  if f then setfenv(f, globals) end
  return f, err
end

local function results(ok, ...)
  if ok then return true, ... end
  local err = ...
  if type(err) == 'table' and type(rawget(err, 'err')) == 'string' then err = err.err end
  return false, err
end
function real.pcall(...)
  if select('#', ...) == 0 then error("bad argument #1 to 'pcall' (value expected)", 2) end
  return results(pcall(...))
end

setmetatable(real, {
  __index = function(_, name)
    error('Script attempted to access nonexistent global variable \\'' .. tostring(name) .. '\\'', 2)
  end,
})
globals = protect(real)
real._G = globals

local function handler(err)
  local level = 2
  local i = dbg.getinfo(level, 'nSl')
  while i and (i.what == 'C' or i.source == '@prelude') do
    level = level + 1
    i = dbg.getinfo(level, 'nSl')
  end
  if type(err) ~= 'table' then
    err = { err = 'ERR ' .. tostring(err) }
  end
  if i then
    err.source = i.source
    err.line = i.currentline
  end
  return err
end

return globals, real, handler, protect
`;
