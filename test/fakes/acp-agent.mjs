#!/usr/bin/env node
// A scripted agent that speaks the Agent Client Protocol; FAKE_ACP names what it does wrong, if anything.
import { createInterface } from 'node:readline'

if (process.argv[2] === '--version') {
  console.log('1.2.3')
  process.exit(0)
}
const behaviour = process.env.FAKE_ACP ?? 'well'
const send = message => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const waiting = new Map()
let next = 1000
const ask = (method, params) => new Promise(resolve => waiting.set(++next, resolve) && send({ id: next, method, params }))
const update = body => send({ method: 'session/update', params: { sessionId: 's', update: body } })

async function prompt(id) {
  if (behaviour === 'crash') {
    process.stderr.write('out of cheese\n')
    process.exit(3)
  }
  if (behaviour === 'garbage') process.stdout.write('this is not JSON\n')
  if (behaviour === 'hang') return
  update({ sessionUpdate: 'plan', entries: [{ content: 'write', priority: 'high', status: 'in_progress' }] })
  const { outcome } = await ask('session/request_permission', {
    sessionId: 's',
    toolCall: { toolCallId: 't', title: 'write made.txt', rawInput: { path: 'made.txt' } },
    options: [
      { optionId: 'yes', name: 'Yes', kind: 'allow_once' },
      { optionId: 'no', name: 'No', kind: 'reject_once' },
    ],
  })
  if (outcome.optionId === 'yes') (await import('node:fs')).writeFileSync('made.txt', 'made\n')
  update({
    sessionUpdate: 'agent_message_chunk',
    content: { type: 'text', text: `outcome ${outcome.optionId ?? outcome.outcome}` },
  })
  send({ id, result: { stopReason: behaviour === 'refuse' ? 'refusal' : 'end_turn' } })
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, result } = JSON.parse(line)
  if (method === 'initialize')
    send({ id, result: { protocolVersion: behaviour === 'old' ? 0 : 1, agentCapabilities: {}, authMethods: [] } })
  else if (method === 'session/new') send({ id, result: { sessionId: 's' } })
  else if (method === 'session/prompt') void prompt(id)
  else if (method === undefined) waiting.get(id)?.(result)
}
