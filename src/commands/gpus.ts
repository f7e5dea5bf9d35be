import {gpuTable} from '../cli/gpu-table.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {whileWaiting} from '../cli/waiting-line.js'
import {systemClock} from '../lib/foundation/index.js'
import {explainDriver, gpusJson, type GpusJson} from '../lib/gpu/index.js'
import {identifyTenants, type TenantsLook} from '../lib/machine/index.js'
import {createIdentityWatch} from '../lib/processes/index.js'
import {lookAtSegments} from '../lib/segments/index.js'
import {DRIVER_PATIENCE_MS, gpuSampler, segmentStore} from '../wiring/index.js'

export default class Gpus extends KvctlCommand {
  static override summary = 'show GPUs: memory, use, temperature, power, processes'
  static override description =
    'Reads each GPU once through the NVIDIA driver. What a GPU does not tell is N/A, under --json null with the reason in "unavailable". A GPU that does not answer within 5 s is shown as hung, the others as usual. Processes are known by name, user, container and segment where process numbers are the ones of the host. Without a driver the exit status is 4.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    "<%= config.bin %> <%= command.id %> --json | jq '.gpus[] | {index, uuid, memory_used_bytes}'",
  ]
  static override enableJsonFlag = true

  async run(): Promise<GpusJson<TenantsLook>> {
    await this.parse(Gpus)
    const sampler = await gpuSampler()
    try {
      const look = await whileWaiting('Asking the driver', DRIVER_PATIENCE_MS, sampler.look(this.signal))
      const trouble = explainDriver(look.driver)
      if (trouble) throw trouble
      const {looks: segments} = await lookAtSegments(await segmentStore(this.logger), [])
      const tenants = await identifyTenants(look, segments, createIdentityWatch(systemClock))
      if (look.gpus.length > 0) this.log(gpuTable(tenants))
      else this.log('The NVIDIA driver runs, but has no GPU (or this container may see none).')
      return gpusJson(tenants)
    } finally {
      sampler.close()
    }
  }
}
