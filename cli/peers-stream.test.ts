import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { HEARTBEAT_MS } from '#shared/contract/index.ts'
import { watchPeers } from './peers-stream.ts'

afterEach(() => {
  vi.useRealTimers()
})

it('does not wait for ever for a server that says nothing any more', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const peers = watchPeers({ url, token: null, signal: new AbortController().signal })
  const next = peers.next()
  await once(server, 'connection')
  vi.advanceTimersByTime(3 * HEARTBEAT_MS)
  await expect(next).rejects.toThrow('does not tell of its peers')
})
