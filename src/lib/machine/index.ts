export {identifyTenants, type GpuTenant, type TenantsLook} from './gpu-tenants.js'
