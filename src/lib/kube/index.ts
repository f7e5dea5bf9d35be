export {checkPolicies, type PolicyViolation} from './check-policies.js'
export {checkNames, resourcesOf, s3FromEnvironment, type DeployPlan} from './deploy-plan.js'
export {
  applyAll,
  lookAtService,
  RESOURCE,
  untilServiceReady,
  type ServiceKind,
  type ServiceLook,
  type ServiceName,
} from './deploy.js'
export {findFormat} from './find-format.js'
export {serviceJson, violationJson, type ServiceJson, type ViolationJson} from './json.js'
export {createCluster, type Cluster} from './kubectl.js'
export type {Manifest} from './manifest.js'
export {manifestsOf} from './manifests.js'
export {removeService} from './remove-service.js'
