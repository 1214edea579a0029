import { describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION } from '#demo/scripted-model.ts'
import { createProbes } from '#server/compose.ts'
import { resolveConfig } from '#server/config.ts'
import type { ModelPart, ModelQuestion } from '#shared/model/index.ts'
import { type Editor, openDesk, type Stream } from './editor.ts'
import { hasSandbox, makeRepository } from './node.ts'
import { SHOP } from './shop.ts'

const MODEL = 'vendor/one'
/** What a program in a sandbox asks of the endpoint it was given, and prints. */
const ASK = `
const { OPENAI_BASE_URL: base, OPENAI_API_KEY: own } = process.env
const headers = { authorization: 'Bearer ' + own, 'content-type': 'application/json' }
const body = JSON.stringify({ model: '${MODEL}', stream: true, messages: [{ role: 'user', content: 'hi' }] })
console.log(await (await fetch(base + '/models', { headers })).text())
const response = await fetch(base + '/chat/completions', { method: 'POST', headers, body })
console.log(response.status, (await response.text()).replaceAll('\\n', '|'))
`

/** Questions that an editor was told of, in order. */
const asked = ({ items }: Pick<Stream, 'items'>): string[] =>
  items.flatMap(item => (item.type === 'modelQuestion' && item.question.isWanted ? [item.question.id] : []))

/** Takes the `nth` question, and answers it with what `say` makes of it. */
async function answer(editor: Editor, offer: Stream, nth: number, say: (question: ModelQuestion) => ModelPart[]): Promise<void> {
  await offer.until(items => asked({ items }).length >= nth)
  const params = { id: asked(offer)[nth - 1] ?? '' }
  const question = await editor.call('getModelQuestion', { params })
  for (const part of say(question)) await editor.call('answerModelQuestion', { params, body: { parts: [part], end: null } })
  const usage = { inputTokens: 5, outputTokens: 2 }
  await editor.call('answerModelQuestion', { params, body: { parts: [], end: { outcome: 'complete', usage } } })
}

describe('models that an editor offers', () => {
  it.skipIf(!hasSandbox)('answer a program in a sandbox by way of its gateway, streamed, and are counted', async () => {
    await using desk = await openDesk()
    const editor = await desk.open()
    await editor.state('ready')
    const offer = await editor.subscribe({ name: 'models', models: [MODEL] })
    expect(await editor.call('listModels')).toMatchObject({ data: [{ id: MODEL, owned_by: 'editor' }] })
    using repository = makeRepository(SHOP)
    const program = { agent: 'command', argv: ['node', '--input-type=module', '-e', ASK], model: MODEL }
    const { jobId } = await editor.call('createJob', { body: { ...program, repository: { path: repository.path } } })
    const log = await editor.subscribe({ name: 'log', jobId })
    await answer(editor, offer, 1, ({ messages }) => {
      expect(messages).toEqual([{ role: 'user', parts: [{ kind: 'text', text: 'hi' }] }])
      return ['one ', 'two'].map(text => ({ kind: 'text', text }))
    })
    await log.until(items => items.at(-1)?.type === 'end')
    expect(log.log()).toContain(`"id":"${MODEL}"`)
    expect(log.log()).toMatch(/200 data: .*"content":"one ".*"content":"two".*\[DONE\]/)
    const { items } = await editor.call('listEvents', { params: { id: jobId }, query: { limit: 1000 } })
    const uses = items.flatMap(({ body }) => (body.type === 'model.usage' ? [body] : []))
    expect(uses).toMatchObject([{ provider: 'editor', model: MODEL, inputTokens: 5, outputTokens: 2 }])
  })

  it.skipIf(!hasSandbox)('do a whole job: the builtin agent mends a test with tools', { timeout: 180_000 }, async () => {
    await using desk = await openDesk()
    const editor = await desk.open()
    await editor.state('ready')
    const offer = await editor.subscribe({ name: 'models', models: [MODEL] })
    using repository = makeRepository(SHOP)
    const request = { task: 'Make the test pass', agent: 'builtin', model: MODEL, checks: [['node', '--test']] }
    const { jobId } = await editor.call('createJob', { body: { ...request, repository: { path: repository.path } } })
    for (const [at, step] of FIX_TEST_SESSION.entries()) {
      await answer(editor, offer, at + 1, ({ tools }) => {
        const text = step.text === undefined ? [] : [{ kind: 'text' as const, text: step.text }]
        const call = 'tools' in step ? tools.flatMap(({ name }) => (name in step.tools ? [name] : []))[0] : undefined
        if (!('tools' in step) || call === undefined) return text
        return [...text, { kind: 'call', id: `c${at}`, name: call, input: step.tools[call] ?? {} }]
      })
    }
    const stream = await editor.subscribe({ name: 'job', jobId })
    await stream.until(items => items.at(-1)?.type === 'end')
    const job = await editor.call('getJob', { params: { id: jobId } })
    expect(job).toMatchObject({ state: 'succeeded', result: { model: MODEL, checks: [{ verdict: 'fixed' }] } })
  })

  it('are gone with the window that offers them, and offered again over a restart of the server', async () => {
    await using desk = await openDesk()
    const [first, second] = [await desk.open(), await desk.open()]
    const states = first.states.length
    await Promise.all([first.state('ready'), second.state('ready')])
    await first.subscribe({ name: 'models', models: [MODEL] })
    await second.subscribe({ name: 'models', models: ['vendor/two'] })
    const names = async () => (await first.call('listModels')).data.map(({ id }) => id).sort()
    expect(await names()).toEqual([MODEL, 'vendor/two'])
    await second.close()
    await expect.poll(names).toEqual([MODEL])
    process.kill(desk.orchestrator(), 'SIGKILL')
    await first.until(() => first.states.slice(states).filter(({ state }) => state === 'ready')[1])
    expect(await names()).toEqual([MODEL])
  })

  it('are lent to nobody', async () => {
    const env = { OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' }
    const { config } = await resolveConfig({ flags: {}, env, cwd: '/', home: '/' })
    const { models, sharedModels, modelOffers } = createProbes(config, env)
    const leaving = new AbortController()
    const { signal } = leaving
    const ended = modelOffers.follow([MODEL], signal).next()
    const names = async (of: typeof models) => (await of.list(signal)).models.map(({ id }) => id)
    expect([await names(models), await names(sharedModels)]).toEqual([[MODEL], []])
    leaving.abort()
    expect(await ended).toMatchObject({ done: true })
  })
})
