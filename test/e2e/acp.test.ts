import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startScriptedModel } from '#demo/scripted-model.ts'
import { hasSandbox, makeRepository, startNode, type TestNode } from './node.ts'

const agent = fileURLToPath(new URL('../fakes/acp-agent.mjs', import.meta.url))

/** A node that takes the fake for OpenCode. The fake is held to the protocol by the SDK on our side of it. */
async function nodeWith(behaviour: string, modelUrl: string): Promise<TestNode> {
  const agents = { opencode: { command: agent, args: [], env: { FAKE_ACP: behaviour } } }
  return startNode({ agents }, { OPENAI_BASE_URL: `${modelUrl}/v1` })
}

describe.skipIf(!hasSandbox)('an agent that speaks the Agent Client Protocol', () => {
  it.each([
    ['yes', 'made\n'],
    ['no', null],
  ])('waits for a person, who says %s', async (optionId, made) => {
    await using model = await startScriptedModel({ steps: [] })
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await nodeWith('well', model.url)
    const { jobId: id } = await node.client.createJob({
      body: { task: 'x', agent: 'opencode', permissions: 'ask', repository: { path: repository.path } },
    })
    const { body } = await node.until(id, event => event.body.type === 'permission.requested')
    if (body.type !== 'permission.requested') throw new Error('unreachable')
    expect(body).toMatchObject({ title: 'write made.txt', options: [{ id: 'yes', kind: 'allow_once' }, { id: 'no' }] })
    const params = { id, requestId: body.requestId }
    await expect(node.client.answerPermission({ params, body: { optionId: 'perhaps' } })).rejects.toMatchObject({
      code: 'invalid_request',
    })
    await node.client.answerPermission({ params, body: { optionId } })
    const { job, events } = await node.finish(id)
    expect(job.failure).toBeNull()
    expect(events.map(event => event.body)).toContainEqual({
      type: 'permission.answered',
      epoch: 1,
      requestId: body.requestId,
      optionId,
      by: 'person',
    })
    expect(events.some(event => event.body.type === 'agent.plan')).toBe(true)
    if (made === null) expect(job.result?.commit).toBeNull()
    else expect(repository.git('show', `refs/skein/jobs/${id}:made.txt`)).toBe(made)
  })

  it.each([
    ['crash', 'agent_failed', /out of cheese/],
    ['old', 'agent_protocol', /version 0/],
    ['refuse', 'agent_failed', /refused/],
  ] as const)('fails its job when it does wrong: %s', async (behaviour, code, detail) => {
    await using model = await startScriptedModel({ steps: [] })
    await using node = await nodeWith(behaviour, model.url)
    const { job } = await node.run({ task: 'x', agent: 'opencode' })
    expect(job).toMatchObject({ state: 'failed', failure: { code, detail: expect.stringMatching(detail) } })
  })

  it('goes on past a line that is no message', async () => {
    await using model = await startScriptedModel({ steps: [] })
    await using node = await nodeWith('garbage', model.url)
    expect((await node.run({ task: 'x', agent: 'opencode' })).job.state).toBe('succeeded')
  })

  it('is ended when it hangs, by cancel and by silence', async () => {
    await using model = await startScriptedModel({ steps: [] })
    await using node = await nodeWith('hang', model.url)
    const silent = await node.run({ task: 'x', agent: 'opencode', timeouts: { silenceMs: 1500 } })
    expect(silent.job.failure?.code).toBe('silence_timeout')
    const { jobId: id } = await node.client.createJob({ body: { task: 'x', agent: 'opencode' } })
    await node.until(id, event => event.body.type === 'attempt.process')
    await node.client.cancelJob({ params: { id } })
    expect((await node.finish(id)).job.state).toBe('cancelled')
  })
})
