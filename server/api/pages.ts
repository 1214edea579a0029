import { randomBytes } from 'node:crypto'
import type { Hono } from 'hono'
import { ApiError } from '#shared/contract/index.ts'
import { pageDocument, pagePolicy } from '#shared/webview/index.ts'
import { type Environment, type Exchange, reply } from './exchange.ts'
import type { Pages } from './page-files.ts'

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}
const ICON = 'favicon.svg'

/**
 * `/` and the files it begins with. They are the same for everybody and hold nothing of anybody, so they need no token; what they show,
 * they ask of the API with one. Where only other nodes are answered there are none.
 */
export function pageRoutes(app: Hono<Environment>, pages: Pages): void {
  app.get('/', c => {
    refuseNodes(c)
    return document(c, pages)
  })
  app.get('/assets/:name', async c => {
    refuseNodes(c)
    return asset(c, pages, c.req.param('name'))
  })
  app.get('/favicon.ico', c => asset(c, pages, ICON))
}

function refuseNodes(c: Exchange): void {
  if (c.env.isForNodes) throw new ApiError('not_found', 'At this address the node has no pages.')
}

function document(c: Exchange, pages: Pages): Response {
  const manifest = pages.manifest()
  if (!manifest)
    throw new ApiError('not_found', 'The pages of this node were not built.', { remedy: 'Run `npm run build` and ask again.' })
  const nonce = randomBytes(16).toString('base64')
  const address = (name: string) => `/assets/${name}`
  const options = { nonce, source: "'self'", connects: true }
  const body = pageDocument({
    ...options,
    script: address(manifest.script),
    style: address(manifest.style),
    icon: address(ICON),
    language: 'en',
    title: 'Skein',
  })
  // Only a header can say who may frame a page, and which text becomes script.
  const policy = `${pagePolicy(options)}; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html`
  return reply(c, 200, body, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  })
}

/** A file named by its content never changes. */
async function asset(c: Exchange, pages: Pages, name: string): Promise<Response> {
  const bytes = await pages.file(name)
  const type = TYPES[name.split('.').at(-1) ?? '']
  if (!bytes || !type)
    throw new ApiError('not_found', 'There is no such file; the page may be of an older version. Load it anew.')
  const isHashed = /-[A-Z0-9]{8}\.\w+$/.test(name)
  return reply(c, 200, bytes, {
    'content-type': type,
    'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    'cross-origin-resource-policy': 'same-origin',
  })
}
