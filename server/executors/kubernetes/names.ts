import { createHash } from 'node:crypto'

/** Labels and annotations of ours begin with this. */
const PREFIX = 'skein.dev'

export const LABEL = {
  /** Hash of the node's id: whose it is, and what the node watches by. */
  node: `${PREFIX}/node`,
  /** Hash of the sandbox's id. */
  sandbox: `${PREFIX}/sandbox`,
  job: `${PREFIX}/job`,
  epoch: `${PREFIX}/epoch`,
  purpose: `${PREFIX}/purpose`,
  managedBy: 'app.kubernetes.io/managed-by',
  queue: 'kueue.x-k8s.io/queue-name',
} as const

/** The same in full, where a label may be too narrow. */
export const ANNOTATION = {
  node: `${PREFIX}/node-id`,
  sandbox: `${PREFIX}/sandbox-id`,
  job: `${PREFIX}/job-id`,
  purpose: `${PREFIX}/purpose`,
} as const

export const MANAGER = 'skein'

const LONGEST_LABEL = 63
const LABEL_VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/

export const shortHash = (text: string, length = 16): string => createHash('sha256').update(text).digest('hex').slice(0, length)

/** A label of what may be any text: itself where Kubernetes takes it, else the most of it that it takes, and a hash of it all. */
export function labelValue(text: string): string {
  if (text.length <= LONGEST_LABEL && LABEL_VALUE.test(text)) return text
  const hash = shortHash(text)
  const start = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, LONGEST_LABEL - hash.length - 1)
  return start === '' ? hash : `${start}-${hash}`
}

/** What is written in front of every name of this node's. */
export const nodeHash = (nodeId: string): string => shortHash(nodeId)

/**
 * Name of the Job and of all that belongs to one sandbox: a DNS label, told apart by its hash, with as much of the sandbox's own
 * name as there is room for, for people. Pods get a suffix of six characters.
 */
export function sandboxName(nodeId: string, sandboxId: string): string {
  const hash = shortHash(`${nodeId}\n${sandboxId}`)
  const spoken = sandboxId
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 32)
    .replace(/-+$/, '')
  return ['skein', spoken, hash].filter(part => part !== '').join('-')
}

/** The label selector of all that is this node's. */
export const nodeSelector = (nodeId: string): string => `${LABEL.managedBy}=${MANAGER},${LABEL.node}=${nodeHash(nodeId)}`
