import { existsSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CancellationTokenSource, LSPErrorCodes } from 'vscode-languageserver/node'
import { lockDataDirectory } from '#server/store/index.ts'
import {
  LSP_NOTIFICATIONS,
  LSP_PROBLEM,
  LSP_REQUESTS,
  type PieceParams,
  type RawAnswer,
  type UnsubscribeParams,
} from '#shared/contract/index.ts'
import { endProcess, openDesk } from './editor.ts'
import { startNode } from './node.ts'

/** Lines of a log that are not the node's own. */
const said = (log: string): string[] => log.split('\n').filter(line => line !== '' && !line.startsWith('──'))

/** A job without a sandbox: what is tested here is the way to it. */
const script = (text: string) => ({ body: { agent: 'command', argv: ['sh', '-c', text], sandbox: 'none' } })

describe('the orchestrator of a user', () => {
  it('is started by a window, shared by the next, and goes on with its jobs when the last has left', async () => {
    await using desk = await openDesk()
    const first = await desk.open()
    const ready = await first.state('ready')
    expect(ready).toMatchObject({ isLocal: true, logFile: join(desk.dataDir, 'server.log') })
    expect(first.states.map(({ state }) => state)).toEqual(['starting', 'ready'])
    const pid = desk.orchestrator()
    const second = await desk.open()
    expect(await second.state('ready')).toEqual(ready)
    const gate = join(desk.dataDir, 'gate')
    const { jobId } = await first.call('createJob', script(`until [ -e ${gate} ]; do sleep 0.05; done; echo over`))
    expect(await second.call('getJob', { params: { id: jobId } })).toMatchObject({ id: jobId })
    expect(await second.close()).toBe(0)
    await first.kill()

    const third = await desk.open()
    expect(await third.state('ready')).toEqual(ready)
    expect(desk.orchestrator()).toBe(pid)
    const stream = await third.subscribe({ name: 'log', jobId })
    writeFileSync(gate, '')
    await stream.until(items => items.at(-1)?.type === 'end')
    expect(said(stream.log())).toEqual(['over'])
    expect(await third.call('getJob', { params: { id: jobId } })).toMatchObject({ state: 'succeeded', epoch: 1 })
  })

  it('is one, when several windows open at once', async () => {
    await using desk = await openDesk()
    const windows = await Promise.all([desk.open(), desk.open(), desk.open()])
    const urls = await Promise.all(windows.map(async window => (await window.state('ready')).url))
    expect(new Set(urls).size).toBe(1)
    expect(windows.map(({ states }) => states.map(({ state }) => state))).toEqual([
      ['starting', 'ready'],
      ['starting', 'ready'],
      ['starting', 'ready'],
    ])
  })

  it('is waited for when another has its data, and started when that one is gone', async () => {
    await using desk = await openDesk()
    const lock = await lockDataDirectory(desk.dataDir)
    const editor = await desk.open()
    const log = () => (existsSync(join(desk.dataDir, 'server.log')) ? readFileSync(join(desk.dataDir, 'server.log'), 'utf8') : '')
    while (!log().includes('already serves')) await new Promise(resolve => setTimeout(resolve, 20))
    await lock.release()
    await editor.state('ready')
    expect(editor.states.map(({ state }) => state)).toEqual(['starting', 'ready'])
  })

  it('takes another port when its own is taken by something else', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    await using desk = await openDesk({ API_PORT: String(port) })
    const { url } = await (await desk.open()).state('ready')
    expect(url).not.toContain(`:${port}`)
  })

  it('is started again after kill -9, and streams go on with no gap and no repeat', async () => {
    await using desk = await openDesk()
    const editor = await desk.open()
    const before = await editor.state('ready')
    const all = await editor.subscribe({ name: 'jobs' })
    const mark = join(desk.dataDir, 'mark')
    const { jobId } = await editor.call(
      'createJob',
      script(`echo begun; if [ ! -e ${mark} ]; then touch ${mark}; exec sleep 1000; fi; echo again`),
    )
    const events = await editor.subscribe({ name: 'job', jobId })
    const log = await editor.subscribe({ name: 'log', jobId })
    await log.until(() => log.log().includes('begun\n') && existsSync(mark))
    const told = editor.states.length
    await endProcess(desk.orchestrator(), 'SIGKILL')
    // Asked while there is none: it waits.
    const job = editor.call('getJob', { params: { id: jobId } }).catch(error => error)
    const after = await editor.state('ready', told)
    expect(after.node).toBe(before.node)
    await job
    await log.until(items => items.at(-1)?.type === 'end')
    await events.until(items => items.at(-1)?.type === 'end')

    expect(said(log.log())).toEqual(['begun', 'begun', 'again'])
    const raw = (await editor.call('readLog', { params: { id: jobId } })) as RawAnswer
    expect(Buffer.from(raw.base64, 'base64').toString()).toBe(log.log())
    const numbers = events.items.flatMap(item => (item.type === 'event' ? [item.event.n] : []))
    expect(numbers).toEqual(Array.from(numbers, (_, index) => index + 1))
    expect(numbers.length).toBeGreaterThan(5)
    const whole = events.items.flatMap(item => (item.type === 'event' ? [item.event] : []))
    await all.until(items => items.length >= whole.length)
    expect(all.items.flatMap(item => (item.type === 'event' ? [item.event] : []))).toEqual(whole)
    expect(await editor.call('getJob', { params: { id: jobId } })).toMatchObject({ state: 'succeeded', epoch: 2 })
  })

  it('that does not start says why, and is tried again when asked', async () => {
    await using desk = await openDesk()
    mkdirSync(desk.dataDir, { recursive: true })
    writeFileSync(join(desk.dataDir, 'node.key'), 'no key')
    const editor = await desk.open()
    const lost = await editor.state('lost')
    expect(lost.reason).toMatch(/^The Skein server did not start: .*node\.key/)
    expect(lost).toMatchObject({ logFile: join(desk.dataDir, 'server.log'), retryInMs: expect.any(Number) })
    const refused = await editor.call('listJobs').catch(error => error)
    expect(refused).toMatchObject({ code: LSP_PROBLEM, message: lost.reason, data: { code: 'not_ready', detail: lost.reason } })
    // What cannot be followed now is when it can be.
    const stream = await editor.subscribe({ name: 'peers' })
    unlinkSync(join(desk.dataDir, 'node.key'))
    await editor.connection.sendRequest(LSP_REQUESTS.reconnect)
    await editor.state('ready')
    await stream.until(items => items.length > 0)
    expect(stream.items[0]).toMatchObject({ type: 'peers', whole: true, items: [] })
  })

  it('is only looked for where it may not be started', async () => {
    await using desk = await openDesk()
    const editor = await desk.open({ server: { start: false } })
    expect(await editor.state('lost')).toMatchObject({
      reason: `No Skein server is running here (data directory ${desk.dataDir}).`,
    })
    expect(existsSync(desk.dataDir)).toBe(false)
  })
})

describe('a node at an address', () => {
  it('is used with its token; nothing is started here', async () => {
    await using node = await startNode({ 'node.name': 'there' })
    await using desk = await openDesk()
    const editor = await desk.open({ server: { address: node.url, token: node.token } })
    expect(await editor.state('ready')).toMatchObject({ url: node.url, node: 'there', isLocal: false, logFile: null })
    expect(existsSync(desk.dataDir)).toBe(false)
  })

  it('that refuses the token, asks for one, is no node or is not there says so', async () => {
    await using node = await startNode()
    await using desk = await openDesk()
    const web = createServer((_, response) => response.end('<h1>hello</h1>')).listen(0, '127.0.0.1')
    onTestFinished(() => void web.close())
    await new Promise(resolve => web.once('listening', resolve))
    const elsewhere = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
    const reason = async (address: string, token: string | null) => {
      const editor = await desk.open({ server: { address, token } })
      const { reason, remedy } = await editor.state('lost')
      return [reason, remedy]
    }
    expect(await reason(node.url, 'wrong')).toEqual([
      `The Skein server at ${node.url} does not accept this token.`,
      'Give the token of that node: `skein token --show` prints it there.',
    ])
    expect((await reason(node.url, null))[0]).toBe(`The Skein server at ${node.url} asks for a token.`)
    expect((await reason(elsewhere, 'any'))[0]).toBe(`What answers at ${elsewhere} is not a Skein server.`)
    expect((await reason('http://127.0.0.1:9', 'any'))[0]).toMatch(
      /^The Skein server at http:\/\/127\.0\.0\.1:9 cannot be reached: /,
    )
  })

  it('has to be an address', async () => {
    await using desk = await openDesk()
    const refused = await desk.open({ server: { address: 'desktop:8080' } }).catch(error => error)
    expect(refused).toMatchObject({ message: expect.stringContaining('server.address') })
  })
})

describe('a call', () => {
  it('gives what the operation answers, its problem, and bytes as a whole or in pieces', async () => {
    await using desk = await openDesk()
    const editor = await desk.open()
    const { jobId } = await editor.call('createJob', script('seq 1 100000'))
    const log = await editor.subscribe({ name: 'log', jobId })
    await log.until(items => items.at(-1)?.type === 'end')

    const whole = (await editor.call('readLog', { params: { id: jobId } })) as RawAnswer
    expect(whole).toMatchObject({
      status: 200,
      mediaType: expect.stringContaining('octet-stream'),
      logSize: Buffer.byteLength(log.log()),
    })
    const got: string[] = []
    editor.connection.onNotification(LSP_NOTIFICATIONS.piece, ({ pieces, base64 }: PieceParams) => {
      if (pieces === 7) got.push(Buffer.from(base64, 'base64').toString())
    })
    const parts = await editor.connection.sendRequest(LSP_REQUESTS.call, {
      operation: 'readLog',
      input: { params: { id: jobId } },
      pieces: 7,
    })
    expect(parts).toEqual({ ...whole, base64: '' })
    expect(got.join('')).toBe(log.log())

    const problem = (operation: string, input?: object) =>
      editor.connection.sendRequest<never>(LSP_REQUESTS.call, { operation, input }).catch(error => [error.code, error.data.code])
    expect(await problem('getJob', { params: { id: 'aaaaaa11111111' } })).toEqual([LSP_PROBLEM, 'not_found'])
    expect(await problem('createJob', { body: {} })).toEqual([LSP_PROBLEM, 'invalid_request'])
    for (const name of ['announce', 'toString', 'nothing']) expect(await problem(name)).toEqual([LSP_PROBLEM, 'not_found'])
    expect(await problem('listJobs', { what: 1 })).toEqual([LSP_PROBLEM, 'invalid_request'])
  })

  it('that waits for the server ends when it is cancelled', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    onTestFinished(() => silent.closeAllConnections())
    onTestFinished(() => void silent.close())
    await new Promise(resolve => silent.once('listening', resolve))
    await using desk = await openDesk()
    const editor = await desk.open({
      server: { address: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, token: 'any' },
    })
    const cancel = new CancellationTokenSource()
    const call = editor.connection.sendRequest(LSP_REQUESTS.call, { operation: 'listJobs' }, cancel.token)
    cancel.cancel()
    await expect(call).rejects.toMatchObject({ code: LSPErrorCodes.RequestCancelled })
  })

  it('of skein/doctor says what is found here', async () => {
    await using desk = await openDesk()
    const editor = await desk.open({ server: { start: false } })
    const { text } = (await editor.connection.sendRequest(LSP_REQUESTS.doctor)) as { text: string }
    expect(text).toContain(desk.dataDir)
    expect(text).not.toContain('\u001B')
  })
})

it('a subscription that was ended brings no more, and its number may be used again', async () => {
  await using desk = await openDesk()
  const editor = await desk.open()
  const stream = await editor.subscribe({ name: 'jobs' })
  const { subscription } = stream
  const twice = { subscription, topic: { name: 'jobs' } }
  const refused = await editor.connection.sendRequest(LSP_REQUESTS.subscribe, twice).catch(error => error)
  expect(refused).toMatchObject({ code: LSP_PROBLEM, data: { code: 'invalid_request' } })
  await editor.connection.sendRequest(LSP_REQUESTS.unsubscribe, { subscription } satisfies UnsubscribeParams)
  const { jobId } = await editor.call('createJob', script('true'))
  const other = await editor.subscribe({ name: 'job', jobId })
  await other.until(items => items.at(-1)?.type === 'end')
  expect(stream.items).toEqual([])
  await editor.connection.sendRequest(LSP_REQUESTS.subscribe, twice)
  const unknown = await editor.subscribe({ name: 'job', jobId: 'aaaaaa11111111' })
  await unknown.until(items => items.length > 0)
  expect(unknown.items).toMatchObject([{ type: 'error', problem: { code: 'not_found' } }])
})

it('the log of an orchestrator that a window started is a file of the data directory, for this user alone', async () => {
  await using desk = await openDesk()
  const { logFile } = await (await desk.open()).state('ready')
  expect(readFileSync(logFile ?? '', 'utf8')).toContain('"msg":"Ready"')
  expect(statSync(logFile ?? '').mode & 0o777).toBe(0o600)
})
