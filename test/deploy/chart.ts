import { parseAllDocuments, stringify } from 'yaml'
import { run } from './engine.ts'

const top = new URL('../../', import.meta.url).pathname
const helmProgram = `${top}test/lab/helm/helm`

export const CHART = `${top}deploy/helm/skein`
export const VALUES = `${top}test/deploy/values`
export const KUSTOMIZE = `${top}deploy/kustomize`

/** As far as these tests look into an object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly rules?: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[]
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: unknown
}

export const helm = (...args: string[]) => run(helmProgram, args)

/** Why the chart cannot be rendered here, or null. */
export async function whyNoHelm(): Promise<string | null> {
  const { code, stderr } = await helm('version')
  return code === 0 ? null : stderr.trim()
}

/** Why kubectl cannot be used here, or null. */
export async function whyNoKubectl(): Promise<string | null> {
  const { code, stderr } = await run('kubectl', ['version', '--client'])
  return code === 0 ? null : `kubectl: ${stderr.trim()}`
}

/** What the chart makes as a release `skein` in the namespace `skein`. */
export const template = (...args: string[]) =>
  helm('template', 'skein', CHART, '--namespace', 'skein', '--kube-version', '1.35.0', ...args)

/** The objects of a stream of YAML, by kind and name. @throws {Error} for what is no YAML */
export function objectsOf(text: string): Manifest[] {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  const wrong = documents.flatMap(document => document.errors)
  if (wrong[0]) throw wrong[0]
  const order = ({ kind, metadata }: Manifest) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`
  return documents
    .map(document => document.toJS() as Manifest | null)
    .filter(object => object !== null)
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

export const toStream = (objects: readonly unknown[]): string =>
  objects.map(object => stringify(object, { lineWidth: 0 })).join('---\n')
