import { formatDuration } from '#server/lib/units.ts'
import type { Client } from '#shared/contract/index.ts'
import { type Peer, sanitizeLine } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { watchPeers } from '../peers-stream.ts'
import { renderPeers, trust } from '../render/peers.ts'
import type { World } from '../world.ts'
import { duration } from './run.ts'

/** Where a node listens that was told nothing else. */
const USUAL_PORT = 8080

type Options = ConnectionOptions & { readonly json?: boolean }

/** Lists the nodes this one knows, what each offers and what it may; with `watch` as that changes. */
export async function listPeers(world: World, options: Options & { readonly watch?: boolean }): Promise<ExitCode> {
  const { client, url, token } = await connect(world, options)
  if (options.watch) return watch(world, { url, token }, options)
  const { items } = await client.listPeers()
  if (options.json) await world.out.line(JSON.stringify({ items }))
  else if (items.length === 0) await world.err.line(NO_PEERS)
  else for (const line of renderPeers(items, world.out)) await world.out.line(line)
  return EXIT.ok
}

const NO_PEERS =
  'No peers yet. Nodes of a tailnet find each other (`skein doctor` says why not). Else, there: `skein pair`; here: `skein peers add http://HOST:PORT CODE`.'

/** Home, and what is below cleared: a picture in place of the one before. */
const AGAIN = '\u001B[H\u001B[J'

async function watch(world: World, at: { url: string; token: string | null }, { json }: Options): Promise<ExitCode> {
  const over = new AbortController()
  const off = world.onSignal(() => over.abort())
  try {
    for await (const { change, peers } of watchPeers({ ...at, signal: over.signal })) {
      if (json) await world.out.line(JSON.stringify(change))
      else {
        const lines = peers.length === 0 ? [NO_PEERS] : renderPeers(peers, world.out)
        await world.out.write(`${world.out.isTerminal ? AGAIN : ''}${lines.join('\n')}\n`)
      }
    }
    return EXIT.ok
  } finally {
    off()
  }
}

/** What a person calls a node: a URL, or a host with or without its port. */
export function urlOf(address: string): string {
  const bare = /^https?:\/\//.test(address) ? null : `http://${address}`
  const url = URL.parse(bare ?? address)
  if (url?.pathname !== '/' || url.search !== '' || url.username !== '')
    throw new CliError(EXIT.usage, `"${address}" is no address of a node; it looks like http://desktop:${USUAL_PORT} or desktop.`)
  if (bare && url.port === '') url.port = String(USUAL_PORT)
  return url.origin
}

/** Pairs with a node, by the code it showed. */
export async function addPeer(
  world: World,
  address: string,
  code: string,
  options: Options & { readonly takeJobs?: boolean },
): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const peer = await client.addPeer({ body: { address: urlOf(address), code, weRunTheirs: options.takeJobs === true } })
  await world.out.line(
    options.json ? JSON.stringify(peer) : `${sanitizeLine(peer.name)} (${peer.id}) takes jobs of this node now.`,
  )
  return EXIT.ok
}

/** Ends the trust in a node. */
export async function removePeer(world: World, given: string, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const peer = await findPeer(client, given)
  await client.removePeer({ params: { id: peer.id } })
  await world.out.line(
    options.json ? JSON.stringify({ removed: peer.id }) : `${sanitizeLine(peer.name)} is not trusted any more.`,
  )
  return EXIT.ok
}

/** Lets what the tailnet says of a node count again. */
export async function trustPeer(world: World, given: string, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const { id } = await findPeer(client, given)
  const peer = await client.trustPeer({ params: { id } })
  const name = sanitizeLine(peer.name)
  await world.out.line(
    options.json ? JSON.stringify(peer) : `${name} counts again as what the tailnet says. Jobs: ${trust(peer)}.`,
  )
  return EXIT.ok
}

async function findPeer(client: Client, given: string): Promise<Peer> {
  const { items } = await client.listPeers()
  const found = items.filter(({ id, name }) => id === given || name === given)
  const [peer] = found
  if (peer && found.length === 1) return peer
  throw new CliError(
    EXIT.failed,
    `${found.length === 0 ? 'No peer is' : 'Several peers are'} called "${given}"; \`skein peers --json\` tells their ids.`,
  )
}

/** Says who this node is to others: what their settings name it by. */
export async function self(world: World, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const { node, name, publicKey, version, protocol } = await client.nodeInfo()
  const lines = options.json ? [JSON.stringify({ node, name, publicKey, version, protocol })] : [node]
  for (const line of lines) await world.out.line(line)
  return EXIT.ok
}

/** Takes a new key in place of this node's own. */
export async function rotateKey(
  world: World,
  options: Options & { readonly grace?: string; readonly force?: boolean },
): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const { grace, force = false } = options
  const done = await client.rotateKey({
    body: { force, ...(grace === undefined ? {} : { graceMs: duration('--grace', grace) }) },
  })
  if (options.json) {
    await world.out.line(JSON.stringify(done))
    return EXIT.ok
  }
  await world.out.line(`This node has a new key; its id is still ${done.node}.`)
  const names = (list: readonly string[]) => list.map(sanitizeLine).join(', ')
  if (done.told.length > 0) await world.out.line(`It is known to ${names(done.told)}.`)
  if (done.waiting.length > 0) await world.out.line(`${names(done.waiting)} will hear of it when next seen.`)
  return EXIT.ok
}

/** Makes a code that lets one other node in. */
export async function pair(world: World, options: Options): Promise<ExitCode> {
  const { client, url } = await connect(world, options)
  const made = await client.createPairingCode()
  if (options.json) await world.out.line(JSON.stringify(made))
  else {
    await world.out.line(made.code)
    const left = formatDuration(Date.parse(made.expiresAt) - Date.now())
    await world.err.line(`The node that uses it within ${left} may run jobs here. There: skein peers add ${url} ${made.code}`)
    if (/\/\/(127\.|localhost|\[::1\])/.test(url))
      await world.err.line(
        'Put an address that other machines reach in place of the loopback one; the server must listen there (--host).',
      )
  }
  return EXIT.ok
}
