import { expect, it } from 'vitest'
import { findEngine } from './find-engine.ts'

const find = (env: Record<string, string>, socket?: string) =>
  findEngine({ env, home: '/nowhere', ...(socket ? { socket } : {}) })

it('takes sockets and engines behind TCP, as set or as DOCKER_HOST says', () => {
  expect(find({}, '/run/engine.sock')).toEqual({ socket: '/run/engine.sock' })
  expect(find({ DOCKER_HOST: 'tcp://other:1' }, 'unix:///run/engine.sock')).toEqual({ socket: '/run/engine.sock' })
  expect(find({ DOCKER_HOST: 'tcp://socket-proxy:2376' })).toEqual({ host: 'socket-proxy', port: 2376 })
  expect(find({ DOCKER_HOST: 'tcp://10.0.0.1' })).toEqual({ host: '10.0.0.1', port: 2375 })
  expect(find({ DOCKER_HOST: 'tcp://[fd00::1]:2375/' })).toEqual({ host: 'fd00::1', port: 2375 })
})

it.each([
  ['ssh://me@there', 'ssh:// is not spoken here'],
  ['npipe:////./pipe/docker_engine', 'npipe:// is not spoken here'],
  ['https://there:2376', 'https:// is not spoken here'],
  ['tcp://', 'that is no tcp://HOST:PORT'],
  ['tcp://there:70000', 'that is no tcp://HOST:PORT'],
  ['tcp://there:1/path', 'that is no tcp://HOST:PORT'],
  ['tcp://me:secret@there:1', 'that is no tcp://HOST:PORT'],
])('says what is wrong with %s', (named, why) => {
  expect(find({ DOCKER_HOST: named })).toMatchObject({
    problem: expect.stringContaining(why),
    remedy: expect.stringContaining('tcp://HOST:PORT'),
  })
})

it('does not go without TLS where TLS was asked for', () => {
  expect(find({ DOCKER_HOST: 'tcp://there:2376', DOCKER_TLS_VERIFY: '1' })).toMatchObject({
    problem: expect.stringContaining('TLS'),
  })
})
