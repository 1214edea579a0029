import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/** A registry of images on this machine that has one image, whatever it is asked for. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string
  /** Of the manifest. */
  readonly digest: string
  /** How often the manifest was asked for. */
  readonly asked: () => number
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Serves an image of one layer by the distribution protocol. @param layer a tar file */
export async function openRegistry(layerFile: string): Promise<Registry> {
  const layer = await readFile(layerFile)
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  )
  const part = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: part('application/vnd.oci.image.config.v1+json', config),
      layers: [part('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  )
  const digest = digestOf(manifest)
  let asked = 0
  const server = createServer((request, response) => {
    const url = request.url ?? ''
    const send = (bytes: Buffer, type: string, name: string) => {
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length, 'Docker-Content-Digest': name })
      response.end(request.method === 'HEAD' ? undefined : bytes)
    }
    if (url === '/v2/') return send(Buffer.from('{}'), 'application/json', '')
    if (/\/manifests\/(latest|1|sha256:.*)$/.test(url)) {
      asked++
      return send(manifest, MANIFEST, digest)
    }
    const blob = [config, layer].find(bytes => url.endsWith(`/blobs/${digestOf(bytes)}`))
    if (blob) return send(blob, 'application/octet-stream', digestOf(blob))
    response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    digest,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
