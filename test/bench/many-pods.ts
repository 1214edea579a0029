// npm run bench:pods: gives a node 200 short jobs at once, to be run in pods of the lab cluster (test/lab/kube), and counts what it asks of
// the API server; puts the table onto docs/benchmarks.md. Takes some minutes.
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { JobRequest } from '#shared/model/index.ts'
import { flat } from '../e2e/kubernetes/attempts.ts'
import { labSettings, prepareLab } from '../e2e/kubernetes/executor.ts'
import { openLab, whyNoCluster, whyNoImage } from '../e2e/kubernetes/lab.ts'
import { startNode } from '../e2e/node.ts'
import { describeMachine, recordTable, renderTable, type Table } from './report.ts'

const JOBS = Number(process.env.BENCH_JOBS ?? 200)
const ENOUGH = 200

interface Kubeconfig {
  readonly clusters: [{ readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }]
}

/** Stands before an API server and counts requests, so that what is counted is what was asked. @returns a kubeconfig that leads there */
async function countRequests(file: string) {
  const config = JSON.parse(await readFile(file, 'utf8')) as Kubeconfig
  const { server: behind, 'certificate-authority-data': authority } = config.clusters[0].cluster
  const ca = Buffer.from(authority, 'base64')
  const counts = new Map<string, number>()
  const proxy = createServer((incoming, outgoing) => {
    const { method = '', headers } = incoming
    const { pathname, searchParams } = new URL(incoming.url ?? '', behind)
    // A name at the end is one of many.
    const [, kind = pathname] = /\/(\w+)(?:\/[^/]*skein-[^/]*)?$/.exec(pathname) ?? []
    const what = `${searchParams.has('watch') ? 'WATCH' : method} ${kind}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
    const forward = request(new URL(incoming.url ?? '', behind), { method, headers, ca }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => forward.destroy())
    incoming.pipe(forward)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const server = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const through = join(tmpdir(), `skein-bench-kubeconfig-${process.pid}`)
  await writeFile(
    through,
    JSON.stringify({ ...config, clusters: [{ name: 'lab', cluster: { server, 'insecure-skip-tls-verify': true } }] }),
  )
  return { kubeconfig: through, counts, close: () => proxy.close() }
}

const heapMiB = () => {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const missing = whyNoCluster() ?? whyNoImage()
if (missing !== null) process.exit(0)

await using lab = await openLab()
await prepareLab(lab, labSettings())
const counted = await countRequests(await lab.kubeconfig('skein:skein'))
// The home's own address: by the proxy it would be taken for one that only this machine has.
const settings = { ...labSettings({ home: { address: '10.124.0.1', port: 0 } }), kubeconfig: counted.kubeconfig }
await using node = await startNode({ ...flat({ 'executors.kubernetes': settings }), 'node.concurrency': JOBS })
const body: JobRequest = { task: 'Be short', agent: 'command', argv: ['true'], executor: 'kubernetes' }

/** @returns how many did not succeed */
const runJobs = async (count: number) => {
  const ids = await Promise.all(Array.from({ length: count }, async () => (await node.client.createJob({ body })).jobId))
  const ended = await Promise.all(ids.map(id => node.finish(id)))
  const failed = ended.filter(({ job }) => job.state !== 'succeeded')
  for (const { job } of failed.slice(0, 3)) console.error(job.failure)
  return failed.length
}

await runJobs(5)
const before = heapMiB()
counted.counts.clear()
const began = performance.now()
const failed = await runJobs(JOBS)
const seconds = (performance.now() - began) / 1000
const growth = ((heapMiB() - before) * 1024) / JOBS
const requests = [...counted.counts.values()].reduce((sum, one) => sum + one, 0)
const left = (await lab.kubectl('get', 'jobs,pods,secrets', '-n', 'skein', '-o', 'name')).trim()
counted.close()

const table: Table = {
  title: `${JOBS} short jobs at once in pods`,
  text: 'A node is given so many jobs of one program that ends at once; each is a pod of the lab cluster, of one node. Requests are counted by a proxy before the API server.',
  head: ['what', 'is', 'bar'],
  rows: [
    ['jobs that did not succeed', String(failed), '0'],
    ['objects left in the cluster', String(left === '' ? 0 : left.split('\n').length), '0'],
    ['requests to the API server, a job', (requests / JOBS).toFixed(2), '<= 6'],
    ['memory kept, a job that ended', `${growth.toFixed(1)} KiB`, 'flat'],
    ['seconds in all', seconds.toFixed(0), ''],
  ],
  notes: [
    [...counted.counts]
      .sort(([, one], [, other]) => other - one)
      .map(([what, count]) => `${what}: ${count}`)
      .join(', '),
    'Each phase of a job with checks is a sandbox of its own and costs the same again: up to three of them.',
    'Memory is that of the whole node, whose caches of jobs are among it; that the watch keeps nothing of sandboxes that are gone is a unit test (sightings.test.ts).',
  ],
  machine: describeMachine(),
  at: new Date().toISOString(),
}
console.log(`${renderTable(table)}\n${table.notes.join('\n')}`)
if (JOBS >= ENOUGH) recordTable('pods', table)
