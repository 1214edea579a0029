import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { Lifetime } from '#server/lib/lifetime.ts'
import { startNode, type TestNode } from '#test/e2e/node.ts'
import { openBrowser } from '#test/pages/browser.ts'
import { defineBench, type SideContext } from './bench.ts'

const MANY = 1_000_000
const FOLLOWED = 300_000
const STEPS = 40
const PATIENCE_MS = 120_000

/** A job that prints lines of 90 bytes, a part of each in colour. */
function printing(lines: number) {
  const format = '\\033[32m%07d\\033[0m a line of a log as programs write them when they have much to say\\n'
  const program = `BEGIN { for (i = 0; i < ${lines}; i++) printf "${format}", i }`
  return { task: `${lines} lines`, agent: 'command', argv: ['awk', program], limits: { logBytes: 512 * 1024 ** 2 } }
}

/** A data directory with a job of a million lines, and one of a single line. */
async function writeJobs(fixture: string): Promise<void> {
  await using node = await startNode({ dataDir: join(fixture, 'data') })
  for (const lines of [MANY, 1]) {
    const { job } = await node.run(printing(lines))
    if (job.state !== 'succeeded') throw new Error(`The job of ${lines} lines ended as ${job.state}: ${job.failure?.detail}`)
  }
}

interface Shown {
  readonly node: TestNode
  readonly browser: Browser
  readonly page: Page
  readonly session: CDPSession
}

/** A node with those jobs, and its list of jobs in a browser. @param planted a script that runs in the page before its own */
async function show({ directory, fixture, defer }: SideContext, planted: string): Promise<Shown> {
  const life = new Lifetime()
  defer(() => life[Symbol.asyncDispose]())
  const dataDir = join(directory, 'data')
  cpSync(join(fixture, 'data'), dataDir, { recursive: true })
  const node = await startNode({ dataDir })
  life.defer(() => node.stop())
  const browser = await openBrowser(life)
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  await page.addInitScript(planted)
  await page.goto(`${node.url}/#token=${node.token}`)
  await page.getByRole('heading', { name: 'Jobs' }).waitFor()
  return { node, browser, page, session: await page.context().newCDPSession(page) }
}

/** Opens a log that is complete, scrolls through it from end to end, and searches all of it. */
async function read({ page }: Shown, lines: number): Promise<void> {
  await page.getByRole('link', { name: `${lines} lines`, exact: true }).click()
  await page.getByText('complete').waitFor({ timeout: PATIENCE_MS })
  for (let step = 0; step <= STEPS; step++) {
    await page.getByRole('region', { name: 'Log' }).evaluate((element, part) => {
      element.scrollTop = element.scrollHeight * part
    }, step / STEPS)
    await page.evaluate('new Promise(requestAnimationFrame)')
  }
  await page.getByLabel('Search in the log').fill('99')
  await page.getByText(/match/).filter({ hasNotText: 'searching' }).first().waitFor({ timeout: PATIENCE_MS })
}

/** Most MiB that the page's objects, nodes and buffers take while it is read, with what is not collected yet. */
async function memory(context: SideContext, lines: number, planted = ''): Promise<number> {
  const shown = await show(context, planted)
  let most = 0
  let isRead = false
  async function watch(): Promise<void> {
    while (!isRead) {
      const used: Readonly<Record<string, number>> = await shown.session.send('Runtime.getHeapUsage')
      const { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = used
      most = Math.max(most, usedSize + embedderHeapUsedSize + backingStorageSize)
      await shown.page.waitForTimeout(100)
    }
  }
  await Promise.all([
    watch(),
    read(shown, lines).finally(() => {
      isRead = true
    }),
  ])
  return most / 1024 ** 2
}

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  /** µs of processor time */
  readonly tdur?: number
  /** µs by the clock on the wall */
  readonly dur?: number
  readonly args?: { readonly name?: string }
}

/**
 * Milliseconds of the longest task of the page's own thread while a log is read.
 * @param clock `tdur`: processor time; `dur`: what a person waits, whatever else the machine does
 */
async function longestTask(context: SideContext, lines: number, clock: 'tdur' | 'dur', planted = ''): Promise<number> {
  const shown = await show(context, planted)
  await shown.browser.startTracing(shown.page, { categories: ['toplevel'] })
  await read(shown, lines)
  const { traceEvents } = JSON.parse((await shown.browser.stopTracing()).toString()) as { traceEvents: readonly TraceEvent[] }
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`
  const threads = new Set(traceEvents.filter(({ args }) => args?.name === 'CrRendererMain').map(threadOf))
  const tasks = traceEvents.filter(event => event.name === 'ThreadControllerImpl::RunTask' && threads.has(threadOf(event)))
  if (tasks.length === 0) throw new Error('The trace names no task of the page')
  // There may be more of them than fit into the arguments of a call.
  return tasks.reduce((longest, task) => Math.max(longest, task[clock] ?? 0), 0) / 1000
}

/** Lines a second of a program that prints as fast as it may, to the last one in the page. */
async function follow(context: SideContext, planted = ''): Promise<number> {
  const { node, page } = await show(context, planted)
  const { jobId } = await node.client.createJob({ body: printing(FOLLOWED) })
  await page.goto(`${node.url}/#/jobs/${jobId}`)
  const begun = performance.now()
  await page.getByText('complete').waitFor({ timeout: PATIENCE_MS })
  return FOLLOWED / ((performance.now() - begun) / 1000)
}

/** The same program, and its log read as bytes once it is over. */
async function wait(context: SideContext): Promise<number> {
  await using node = await startNode({ dataDir: join(context.directory, 'data') })
  const begun = performance.now()
  await node.run(printing(FOLLOWED))
  return FOLLOWED / ((performance.now() - begun) / 1000)
}

/** Does something with each message of the stream before the page sees it. */
const eachMessage = (work: string) => `
  const listen = WebSocket.prototype.addEventListener
  WebSocket.prototype.addEventListener = function (type, take, ...more) {
    listen.call(this, type, type === 'message' ? event => { ${work}; take.call(this, event) } : take, ...more)
  }`
const spinning = (ms: number) => `for (const begun = performance.now(); performance.now() - begun < ${ms};);`
/** By the clock on the wall: on a busy machine the page gets a part of it only. */
const A_TASK_A_SECOND = `setInterval(() => { ${spinning(250)} }, 1000)`

export default defineBench(
  {
    name: 'log-page-memory',
    unit: 'MiB',
    compare: 'alone',
    a: {
      what: 'most memory of a page that loads, scrolls through and searches a log of 1,000,000 lines',
      run: context => memory(context, MANY),
    },
    b: { what: 'the same of a log of one line', run: context => memory(context, 1) },
    planted: {
      what: 'every message of the stream is kept',
      run: context => memory(context, MANY, `const all = []; ${eachMessage('all.push(event.data)')}`),
    },
    prepare: writeJobs,
    bar: { atMost: 150 },
    note: 'In Chromium: objects and nodes before they are collected, and all buffers, whose bytes are no part of what is called its heap.',
  },
  {
    name: 'log-page-task',
    unit: 'ms',
    compare: 'alone',
    a: {
      what: "longest task of the page's thread while it does the same",
      run: context => longestTask(context, MANY, 'tdur'),
    },
    b: { what: 'the same of a log of one line', run: context => longestTask(context, 1, 'tdur') },
    planted: { what: 'a task of 250 ms a second', run: context => longestTask(context, MANY, 'tdur', A_TASK_A_SECOND) },
    prepare: writeJobs,
    bar: { atMost: 50 },
    note: 'Processor time of the thread, so that what else the machine does is no part of it.',
  },
  {
    name: 'log-page-task-wall',
    unit: 'ms',
    compare: 'alone',
    a: {
      what: "longest task of the page's thread while it does the same, by the clock on the wall",
      run: context => longestTask(context, MANY, 'dur'),
    },
    b: { what: 'the same of a log of one line', run: context => longestTask(context, 1, 'dur') },
    planted: { what: 'a task of 250 ms a second', run: context => longestTask(context, MANY, 'dur', A_TASK_A_SECOND) },
    prepare: writeJobs,
    bar: { atMost: 50 },
    note: 'What a person waits: on a machine that does something else, that is in it too. Side B says how much.',
  },
  {
    name: 'log-page-follow',
    unit: 'lines/s',
    compare: 'alone',
    a: { what: 'lines of a running job in a page that follows it', run: context => follow(context) },
    b: { what: 'the same job without a page, its log read when it is over', run: wait },
    planted: { what: '50 ms more a message of the stream', run: context => follow(context, eachMessage(spinning(50))) },
    prepare: writeJobs,
    bar: { atLeast: 10_000 },
  },
)
