-- Health of Assay's Experiment for Argo CD. Goes into argocd-cm under resource.customizations.health.assay.dev_Experiment.
local hs = { status = "Progressing", message = "Assay has not looked at it yet" }
if obj.status == nil or obj.status.conditions == nil then
  return hs
end
-- A status about an earlier specification says nothing about this one.
if obj.status.observedGeneration ~= nil and obj.metadata.generation ~= nil
  and obj.status.observedGeneration < obj.metadata.generation then
  hs.message = "Assay has not looked at this specification yet"
  return hs
end
local found = {}
for _, condition in ipairs(obj.status.conditions) do
  found[condition.type] = condition
end
if found.Accepted ~= nil and found.Accepted.status == "False" then
  return { status = "Degraded", message = found.Accepted.message }
end
if found.Ready ~= nil and found.Ready.status == "True" then
  return { status = "Healthy", message = found.Ready.message }
end
local state = obj.status.state
if state == "rolled-back" then
  -- The control answers everybody: callers are well, the candidate is not.
  return { status = "Degraded", message = found.Ready.message }
end
if state == "completed" then
  return { status = "Healthy", message = found.Ready.message }
end
if state == "draft" or state == "paused" then
  return { status = "Suspended", message = found.Ready.message }
end
return hs
