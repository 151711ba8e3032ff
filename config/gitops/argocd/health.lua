-- The health of every kind of drover.dev for Argo CD, as kstatus (Flux, kapply) judges it, but for one thing: what
-- waits for a person, or is switched off by its own declaration, is Suspended instead of Progressing.
-- Argo CD itself answers for what is being deleted.
local switched_off = {
  AdminDown = true,
  AwaitingApproval = true,
  Deactivated = true,
  Paused = true,
  PoweredOff = true,
  WaitingForFirstConsumer = true,
}

local function health(status, condition)
  local message = condition and (condition.reason .. ": " .. (condition.message or "")) or ""
  return {status = status, message = message}
end

local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Drover has not looked at it yet: is the operator running?"}
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local function holds(name)
  return found[name] ~= nil and found[name].status == "True"
end

if holds("Stalled") then
  return health("Degraded", found.Stalled)
end
if holds("Ready") and not holds("Reconciling") then
  return health("Healthy", found.Ready)
end
if found.Ready ~= nil and switched_off[found.Ready.reason] or obj.spec.paused == true then
  return health("Suspended", found.Ready)
end
return health("Progressing", found.Ready)
