-- The health of an Application within an Application: its own. Argo CD has judged none since 1.8, so that sync waves of
-- Applications would not wait for each other.
local health = obj.status and obj.status.health or {}
return {status = health.status or "Progressing", message = health.message or ""}
