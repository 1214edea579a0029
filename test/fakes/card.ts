import { type Card, type NodeId, PROTOCOL } from '#shared/model/index.ts'

/** What a node with one idle place tells of itself. */
export const makeCard = (node: NodeId, more: Partial<Card> = {}): Card => ({
  node,
  name: 'worker',
  seq: 1,
  version: '1',
  protocol: PROTOCOL,
  capacity: { cpuCores: 1, memoryBytes: 1, storageBytes: 1, gpuCount: 0, labels: {} },
  slots: 1,
  busy: 0,
  waitingPlaces: 0,
  waiting: 0,
  queued: 0,
  executors: [],
  agents: [],
  models: [],
  repositories: [],
  draining: false,
  ...more,
})
