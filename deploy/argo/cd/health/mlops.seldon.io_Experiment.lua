-- Health of Seldon Core v2's Experiment for Argo CD. Goes into argocd-cm under resource.customizations.health.mlops.seldon.io_Experiment.
local hs = { status = "Progressing", message = "Seldon has not looked at it yet" }
if obj.status == nil or obj.status.conditions == nil then
  return hs
end
if obj.status.observedGeneration ~= nil and obj.metadata.generation ~= nil
  and obj.status.observedGeneration < obj.metadata.generation then
  hs.message = "Seldon has not looked at this specification yet"
  return hs
end
local ready = false
for _, condition in ipairs(obj.status.conditions) do
  -- Refusals of the scheduler come under the type ModelReady, so any that is false counts.
  if condition.status == "False" then
    local message = condition.message or condition.reason or ""
    return { status = "Degraded", message = condition.type .. ": " .. message }
  end
  if condition.type == "Ready" and condition.status == "True" then
    ready = true
  end
end
if ready then
  return { status = "Healthy", message = "the split is served" }
end
hs.message = "Seldon is setting it up"
return hs
