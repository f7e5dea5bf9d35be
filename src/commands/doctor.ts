import {checkReport} from '../cli/check-report.js'
import {engineUrlsOf} from '../cli/engine-urls.js'
import {durationFlag, urlFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {canColor} from '../cli/table.js'
import {whileWaiting} from '../cli/waiting-line.js'
import {doctorJson, examine, type DoctorJson} from '../lib/doctor/index.js'
import {ConfigurationError, EXIT, formatDurationMs} from '../lib/foundation/index.js'
import {doctorParts} from '../wiring/index.js'

/** Processes must start and be killed within it. */
const LEAST_MS = 2000

export default class Doctor extends KvctlCommand {
  static override summary =
    'check driver, permissions, containers, /dev/shm, ports and engines; say how to fix each'
  static override description =
    'Looks at everything at once, for at most 5 s unless --timeout allows more, also when a driver hangs; changes nothing and takes no GPU memory. Each finding is ok, warn, fail or skipped, with what to do about it. Where nothing says that a GPU should be here, its absence is skipped. The exit status is 4 when something failed.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --url http://gpu-host:6767 --engine-url http://gpu-host:8000',
    '<%= config.bin %> <%= command.id %> --json | jq -r \'.checks[] | select(.status == "fail") | .fix\'',
  ]
  static override enableJsonFlag = true
  static override flags = {
    url: urlFlag({
      description:
        'a running kvctl serve (or vllm-chill) whose GPU figures are to be fresh and cached; KVCTL_TOKEN opens it',
    }),
    timeout: durationFlag({
      description:
        'how long all of it may take; a driver that is loaded anew for each program may need 10s and more',
      default: 5000,
      defaultHelp: async () => '5s',
    }),
    'engine-url': urlFlag({
      description:
        'an engine that must answer; may be repeated (also KVCTL_ENGINE_URLS; default: who listens on port 8000 or 30000 here, or owns a segment)',
      multiple: true,
      multipleNonGreedy: true,
    }),
  }

  async run(): Promise<DoctorJson> {
    const {flags} = await this.parse(Doctor)
    if (flags.timeout < LEAST_MS) {
      throw new ConfigurationError(
        'USAGE',
        `--timeout must be at least 2s, not ${formatDurationMs(flags.timeout)}`,
      )
    }
    const parts = await doctorParts(this.logger, flags.timeout)
    try {
      const questions = {
        engineUrls: flags['engine-url'] ?? engineUrlsOf(process.env) ?? null,
        statsUrl: flags.url ?? null,
        token: process.env['KVCTL_TOKEN'] || null,
      }
      const report = doctorJson(
        await whileWaiting('Examining', flags.timeout, examine(parts, questions, this.signal)),
      )
      const columns = process.stdout.isTTY ? process.stdout.columns : null
      this.log(checkReport(report, canColor(process.stdout, process.env), columns))
      if (report.summary.fail > 0) process.exitCode = EXIT.resource
      return report
    } finally {
      await parts.http.close()
    }
  }
}
