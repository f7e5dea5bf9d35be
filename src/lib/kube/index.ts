export {checkPolicies, type PolicyViolation} from './check-policies.js'
export {checkNames, planOf, s3FromEnvironment, type DeployPlan} from './deploy-plan.js'
export {detailsOf, lookAtService, readyService, type ServiceDetails, type ServiceLook} from './deploy.js'
export {deployService, type DeployOptions} from './deploy-service.js'
export {
  formatOf,
  servedModel,
  serviceJson,
  violationJson,
  type ServiceJson,
  type ViolationJson,
} from './json.js'
export {findService, serviceNotFound, severalKinds, type AskedService} from './find-service.js'
export {createCluster, type Cluster, type Forwarding, type Kubectl, type PodUsage} from './kubectl.js'
export type {Manifest} from './manifest.js'
export {manifestsOf} from './manifests.js'
export {reachableUrl} from './reachable-url.js'
export {completeNodes, lookAtPods, recordPods, type PodRecording} from './record-pods.js'
export {removeService} from './remove-service.js'
export type {ServiceKind, ServiceName} from './service-name.js'
export {servingPod, serviceUrls} from './service-urls.js'
