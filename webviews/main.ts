import { type EditorApi, editorHost } from './kit/editor-host.ts'
import type { Host } from './kit/host.ts'
import './app.ts'

declare global {
  /** There inside a panel of VS Code, and may be called once. */
  var acquireVsCodeApi: (() => EditorApi) | undefined
}

const host: Host = globalThis.acquireVsCodeApi
  ? editorHost(globalThis.acquireVsCodeApi(), window)
  : (await import('./kit/browser-host.ts')).browserHost(window)
const app = document.querySelector('skein-app')
if (app) app.host = host
