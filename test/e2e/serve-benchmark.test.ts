import {once} from 'node:events'
import {existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {readRepositoryFile, runCli} from '../support/cli.js'
import {startServe, type ServeProcess} from '../support/serve-process.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'
import {until} from '../support/until.js'

type Json = Readonly<Record<string, unknown>>
interface Job extends Json {
  readonly run_id: string
  readonly status: string
  readonly stage: string | null
  readonly progress: {sent: number; total: number} | null
}
interface Status {
  readonly state: string
  readonly active: Job | null
  readonly queued: readonly Job[]
  readonly recent: readonly Job[]
}

describe('the benchmark service of kvctl serve', function () {
  this.timeout(60_000)
  const started: ServeProcess[] = []
  let target: TruthServer

  before(async () => {
    target = await startTruthServer({ttftMs: 10, gapMs: 1, tokens: 6})
  })
  after(() => target.stop())
  afterEach(async () => {
    for (const {child} of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  })
  // Behind the hook that ends who writes there.
  const folder = temporaryFolder()

  const runs = (): string => join(folder(), 'runs')
  const serve = async (...args: string[]): Promise<ServeProcess> => {
    const server = await startServe(
      '--api',
      'benchmark,system',
      '--bench-url',
      target.url,
      '--output-dir',
      runs(),
      ...args,
    )
    started.push(server)
    return server
  }
  const post = (server: ServeProcess, body: unknown, key?: string): Promise<Response> =>
    fetch(`${server.url}/api/v1/benchmark`, {
      method: 'POST',
      headers: {'content-type': 'application/json', ...(key !== undefined && {'idempotency-key': key})},
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const json = async <T>(answer: Response | Promise<Response>): Promise<T> =>
    (await (await answer).json()) as T
  const get = (server: ServeProcess, path: string): Promise<Response> => fetch(server.url + path)
  const status = (server: ServeProcess): Promise<Status> => json(get(server, '/api/v1/status'))
  const ended = async (server: ServeProcess, runId: string): Promise<Job> => {
    let job: Job | undefined
    await until(
      async () => {
        job = await json<Job>(get(server, `/api/v1/status?run_id=${runId}`))
        return !['queued', 'running'].includes(job.status)
      },
      () => JSON.stringify(job) + server.log(),
    )
    return job!
  }
  const short = {requests: 12, concurrency: 4, max_tokens: 6, seed: 42, profile: {metadata: {name: 'short'}}}
  /** Would take ten minutes. */
  const long = {...short, requests: 600, rate: 1}

  it('runs two posts one after the other, and gives their results, analysis, report and requests', async () => {
    const server = await serve()
    const first = await post(server, {
      ...short,
      namespace: 'ml-prod',
      service: 'demo-llm',
      labels: {team: 'x'},
    })
    expect(first.status).to.equal(202)
    const one = await json<{run_id: string; position: number; links: Json}>(first)
    expect(first.headers.get('location')).to.equal(`/api/v1/status?run_id=${one.run_id}`)
    expect(one.links).to.deep.equal({
      status: `/api/v1/status?run_id=${one.run_id}`,
      results: `/api/v1/results/${one.run_id}`,
    })
    const two = await json<{run_id: string; position: number}>(post(server, short))
    expect([one.position, two.position]).to.deep.equal([0, 1])
    expect(await ended(server, two.run_id)).to.include({status: 'completed', exit_code: 0, error: null})
    const done = await json<Job>(get(server, `/api/v1/status?run_id=${one.run_id}`))
    expect(done).to.deep.include({service: 'demo-llm', namespace: 'ml-prod', labels: {team: 'x'}})
    expect(done.progress).to.deep.include({total: 12, completed: 12, failed: 0, in_flight: 0, percent: 100})
    expect((await status(server)).recent.map(job => job.run_id)).to.deep.equal([two.run_id, one.run_id])

    const results = await json<{metadata: Json; requests: Json; total_cost: unknown}>(
      get(server, `/api/v1/results/${one.run_id}`),
    )
    expect(results.metadata).to.include({namespace: 'ml-prod', service: 'demo-llm', total_requests: 12})
    expect(results).to.deep.include({requests: {total: 12, success: 12}, total_cost: null})
    const view = (name: string): Promise<Response> =>
      get(server, `/api/v1/results/${one.run_id}?view=${name}`)
    expect(await json(view('analysis'))).to.have.nested.property('summary.total_requests', 12)
    const report = await view('report')
    expect(report.headers.get('content-type')).to.match(/^text\/html/)
    expect(await report.text()).to.match(/^<!doctype html>/i)
    expect((await (await view('requests')).text()).trim().split('\n')).to.have.length(1 + 12)
    expect((await view('secrets')).status).to.equal(400)

    const list = await json<{runs: Json[]; next: string | null}>(get(server, '/api/v1/results?limit=1'))
    expect(list.runs.map(run => run['run_id'])).to.deep.equal([two.run_id])
    const rest = await json<{runs: Json[]; next: string | null}>(
      get(server, `/api/v1/results?cursor=${list.next!}`),
    )
    expect(rest.runs.map(run => run['run_id'])).to.deep.equal([one.run_id])
    expect(await json(get(server, '/api/v1/profiles'))).to.have.nested.property('profiles[0].name')

    const page = await (await get(server, '/metrics')).text()
    const labels = '{namespace="ml-prod",service="demo-llm",profile="short"'
    expect(page)
      .to.include(`kvmini_request_duration_seconds_count${labels}} 12`)
      .and.include(`kvmini_requests_total${labels},status="success"} 12`)
      .and.include(`kvmini_tokens_total${labels},kind="completion"} 72`) // 12 × 6
      .and.include(`kvmini_inter_token_latency_seconds_count${labels}} 60`) // 12 × 5
      .and.include('kvmini_runs_total{state="completed"} 2')
      .and.include('kvmini_run_active 0')
    for (const name of [
      'errors_total',
      'gpu_utilization',
      'memory_usage_bytes',
      'ttft_seconds',
      'send_lag_seconds',
    ])
      expect(page).to.include(`# TYPE kvmini_${name} `)
    const listed = readRepositoryFile('docs/api.md')
    for (const [, name] of page.matchAll(/^# TYPE (kvmini_\S+)/gm))
      expect(listed).to.include(`| \`${name!}\` |`)
    const health = await json<Json>(get(server, '/health'))
    expect(health).to.include({status: 'healthy'}).and.have.nested.property('checks.output_dir.status', 'ok')
  })

  it('cancels a run midway and one that waits, tells its state as events, and takes 16 runs but no 17th', async () => {
    const server = await serve()
    const running = await json<Job>(post(server, long))
    const waiting = await json<Job>(post(server, long))
    await until(async () => ((await status(server)).active?.progress?.sent ?? 0) >= 2, server.log)
    const now = await status(server)
    expect(now).to.include({state: 'running'})
    expect(now.active).to.include({run_id: running.run_id, status: 'running', stage: 'load'})
    expect(now.queued.map(job => job.run_id)).to.deep.equal([waiting.run_id])

    const open = await get(server, `/api/v1/results/${running.run_id}`)
    expect(open.status).to.equal(409)
    expect(await json(open))
      .to.deep.include({status: 'running'})
      .and.have.nested.property('error.code', 'conflict')

    const events = await fetch(`${server.url}/api/v1/status`, {headers: {accept: 'text/event-stream'}})
    expect(events.headers.get('content-type')).to.match(/^text\/event-stream/)
    const reader = events.body!.getReader()
    let text = ''
    while ((text.match(/\n\n/g) ?? []).length < 2) text += Buffer.from((await reader.read()).value).toString()
    await reader.cancel()
    expect(JSON.parse(text.split('\n\n')[0]!.slice('data: '.length))).to.have.nested.property(
      'active.run_id',
      running.run_id,
    )

    for (let count = 2; count < 16; count++)
      expect((await post(server, long)).status, `post ${count + 1}`).to.equal(202)
    const full = await post(server, long)
    expect(full.status).to.equal(429)
    expect(await json(full)).to.have.nested.property('error.code', 'queue_full')

    const cancel = (id: string): Promise<Response> =>
      fetch(`${server.url}/api/v1/benchmark/${id}`, {method: 'DELETE'})
    for (const {run_id} of (await status(server)).queued.slice(1))
      expect((await cancel(run_id)).status).to.equal(202)
    expect(await json(cancel(waiting.run_id))).to.deep.equal({run_id: waiting.run_id, status: 'cancelled'})
    expect((await cancel(running.run_id)).status).to.equal(202)
    expect(await ended(server, running.run_id)).to.include({status: 'cancelled', exit_code: 130})
    const kept = await json<{requests: {total: number}; status: string}>(
      get(server, `/api/v1/results/${running.run_id}`),
    )
    expect(kept.requests.total).to.be.within(1, 599)
    expect((await cancel(running.run_id)).status).to.equal(409)
    expect((await cancel('none')).status).to.equal(404)
    expect((await status(server)).state).to.equal('idle')
  })

  it('knows a run directly in its folder and nothing else, whatever a run id tries', async () => {
    mkdirSync(join(folder(), 'outside'))
    writeFileSync(join(folder(), 'outside', 'meta.json'), '{}')
    writeFileSync(join(folder(), 'outside', 'results.json'), '{"secret": 1}')
    mkdirSync(runs())
    symlinkSync(join(folder(), 'outside'), join(runs(), 'link'))
    const server = await serve()
    for (const id of [
      '..',
      '../outside',
      '..%2Foutside',
      '%2e%2e%2foutside',
      '.',
      'link',
      'none',
      'a%00b',
      '-x',
      'x'.repeat(129),
    ]) {
      const answer = await get(server, `/api/v1/results/${id}`)
      expect(answer.status, id).to.equal(404)
      expect(await answer.text(), id).to.not.include('secret')
    }
  })

  it('says what is wrong with a request, at which key, and plans one without running it', async () => {
    const server = await serve()
    const refused = async (body: unknown): Promise<[number, string, string[]]> => {
      const answer = await post(server, body)
      const {error} = await json<{error: {code: string; details: {path: string}[]}}>(answer)
      return [answer.status, error.code, error.details.map(({path}) => path)]
    }
    expect(await refused({...short, requests: 0, speed: 9})).to.deep.equal([
      422,
      'validation_error',
      ['requests', 'speed'],
    ])
    expect(await refused({...short, url: 'http://169.254.169.254'})).to.deep.equal([
      422,
      'validation_error',
      ['url'],
    ])
    expect(await refused({...short, profile: '/etc/passwd'})).to.deep.equal([
      422,
      'validation_error',
      ['profile'],
    ])
    expect(await refused({...short, profile: 'none-such'})).to.deep.equal([
      422,
      'validation_error',
      ['profile'],
    ])
    expect(await refused({...short, output_dir: '/tmp'})).to.deep.equal([
      422,
      'validation_error',
      ['output_dir'],
    ])
    expect(await refused({...short, gpu_type: 'H200'})).to.deep.equal([422, 'validation_error', ['gpu_type']])
    expect(await refused({...short, resources: {disk: '1Gi'}})).to.deep.equal([
      422,
      'validation_error',
      ['resources'],
    ])
    expect(await refused({...short, cost_config: {gpu: {A10: -1}}, gpu_type: 'A10'})).to.deep.equal([
      422,
      'validation_error',
      ['cost_config'],
    ])
    expect(await refused({...short, cost_config: '/etc/passwd'})).to.deep.equal([
      422,
      'validation_error',
      ['cost_config'],
    ])
    expect(await refused({...short, overrides: {request: {temperature: 9}}})).to.deep.equal([
      422,
      'validation_error',
      ['overrides.request.temperature'],
    ])
    const endless = {pattern: 'poisson', rate: 20_000, duration_seconds: 86_400, dry_run: true}
    expect(await refused(endless)).to.deep.equal([422, 'validation_error', ['requests']])
    const huge = {load_test: {requests: 1e9, warmup_requests: 1e9}, request: {prompt_tokens: 1e9}}
    expect(await refused({overrides: huge})).to.deep.equal([
      422,
      'validation_error',
      ['requests', 'warmup_requests', 'request.prompt_tokens'],
    ])
    const empty = await fetch(`${server.url}/api/v1/benchmark`, {method: 'POST'})
    expect(empty.status, 'a page of another site could send it').to.equal(422)
    expect(await refused({...short, model_uri: 's3://m'})).to.deep.equal([503, 'unavailable', []])
    expect(await refused('{')).to.deep.equal([400, 'bad_request', []])
    expect(await refused(JSON.stringify({prompt: 'x'.repeat(2 ** 20)}))).to.deep.equal([
      413,
      'payload_too_large',
      [],
    ])
    const dry = await post(server, {...short, dry_run: true, rate: 4})
    expect(dry.status).to.equal(200)
    expect(await json(dry))
      .to.deep.include({valid: true})
      .and.have.nested.property('plan.plan.rate_per_second', 4)
    expect(existsSync(runs()) ? readdirSync(runs()) : []).to.deep.equal([])
    expect((await status(server)).recent).to.deep.equal([])
  })

  it('prices runs as kvctl cost does, by what the request or its profile says', async () => {
    const server = await serve()
    const cost_config = {gpu: {'NVIDIA-A10': 36, 'NVIDIA-A100-80GB': 360}, cpu: {hourly_per_core: 1}}
    const resources = {cpu: '2000m', 'nvidia.com/gpu': 2}
    const asked = {...short, gpu_type: 'NVIDIA-A10', cost_config, resources}
    const own = {
      ...short,
      ...{gpu_type: 'A100-80GB', cost_config},
      profile: {metadata: {name: 'own'}, resources: {requests: {cpu: 4, 'nvidia.com/gpu': 1}}},
    }
    const [one, two] = [await json<Job>(post(server, asked)), await json<Job>(post(server, own))]
    await ended(server, two.run_id)
    const results = (id: string): Promise<Json & {window: {seconds: number}}> =>
      json(get(server, `/api/v1/results/${id}`))
    const first = await results(one.run_id)
    expect(first['cost']).to.deep.include({
      hourly_cost: '$81.40', // (2 · 36 + 2 · 1) · 1.1
      breakdown: {gpu: '$79.20', cpu: '$2.20', memory: null},
    })
    expect(first['total_cost']).to.be.closeTo((81.4 * first.window.seconds) / 3600, 1e-9)
    expect(await results(two.run_id)).to.have.nested.property('cost.hourly_cost', '$400.40') // (360 + 4 · 1) · 1.1
    const shown = await runCli(['cost', '--run-dir', join(runs(), one.run_id), '--json'])
    expect(JSON.parse(shown.stdout)).to.deep.include({cost: first['cost'], total_cost: first['total_cost']})
  })

  it('takes in a folder of many runs before it listens, newest last', async () => {
    for (let index = 0; index < 300; index++) {
      const run_id = `2025-01-01_00-00-00-${String(index).padStart(3, '0')}`
      const at = new Date(Date.UTC(2025, 0, 1) + index * 1000).toISOString()
      mkdirSync(join(runs(), run_id), {recursive: true})
      const times = {created_at: at, started_at: at, ended_at: at}
      const known = {
        namespace: 'default',
        service: null,
        profile: 'short',
        labels: {},
        exit_code: 0,
        error: null,
      }
      const job = {schema_version: 1, run_id, status: 'completed', ...times, ...known}
      const owner = {pid: 1, start_ticks: 0}
      const file = {...job, owner, request_sha256: '', idempotency_key: `k-${index}`}
      writeFileSync(join(runs(), run_id, 'job.json'), JSON.stringify(file))
    }
    const server = await serve()
    const {recent} = await status(server)
    expect(recent.map(({run_id}) => run_id.slice(-3))).to.deep.equal(
      Array.from({length: 20}, (_, at) => String(299 - at)),
    )
  })

  it('tells a missed rule as 5, failed when kill -9 takes the process of a run or the server, and repeats the answer to an Idempotency-Key, also then', async () => {
    const server = await serve()
    const strict = {...short, overrides: {validation: {max_p95_latency_ms: 0.001}}}
    const missed = await json<Job>(post(server, strict, 'k-1'))
    expect(await ended(server, missed.run_id))
      .to.include({status: 'completed', exit_code: 5})
      .and.have.nested.property('error.code', 'VALIDATION_MISSED')

    const again = await post(server, strict, 'k-1')
    expect([again.status, (await json<Job>(again)).run_id]).to.deep.equal([202, missed.run_id])
    expect((await post(server, short, 'k-1')).status).to.equal(422)

    const shot = await json<Job>(post(server, long))
    await until(async () => ((await status(server)).active?.progress?.sent ?? 0) >= 1, server.log)
    for (const pid of childrenOf(server.child.pid!, 'bench-job')) process.kill(pid, 'SIGKILL')
    expect(await ended(server, shot.run_id))
      .to.include({status: 'failed'})
      .and.have.nested.property('error.code', 'RUN_DIED')

    const [open, behind] = [await json<Job>(post(server, long)), await json<Job>(post(server, long))]
    await until(async () => ((await status(server)).active?.progress?.sent ?? 0) >= 1, server.log)
    server.child.kill('SIGKILL')
    await once(server.child, 'exit')
    const next = await serve()
    for (const {run_id} of [open, behind]) {
      expect(await json(get(next, `/api/v1/status?run_id=${run_id}`)))
        .to.include({status: 'failed', exit_code: 1})
        .and.have.nested.property('error.code', 'SERVER_ENDED')
      expect(await json(get(next, `/api/v1/results/${run_id}`))).to.include({run_id, status: 'failed'})
    }
    expect(await json(post(next, strict, 'k-1'))).to.include({run_id: missed.run_id, status: 'completed'})
    const meta = JSON.parse(readFileSync(join(runs(), open.run_id, 'meta.json'), 'utf8')) as Json
    expect(meta['status']).to.equal('failed')
  })
})

/** Pids of the children of a process that were started with such an argument. */
function childrenOf(parent: number, argument: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return (
          Number(parentPid) === parent && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(argument)
        )
      } catch {
        return false
      }
    })
    .map(Number)
}
