import type { OperationName } from '#shared/contract/index.ts'

/** Operations that change nothing: what may be asked in a workspace that is not trusted. A list of names, since the table brings schemas. */
export const READING: ReadonlySet<OperationName> = new Set([
  'health',
  'ready',
  'openapi',
  'metrics',
  'listJobs',
  'listJobSpecs',
  'getJob',
  'listEvents',
  'listExecutors',
  'readLog',
  'getResult',
  'getDiff',
  'listArtifacts',
  'getArtifact',
  'listAgents',
  'listModels',
  'getModelQuestion',
  'listPeers',
  'listPlacements',
  'drainStatus',
  'listSpecs',
  'listWorkloads',
  'getSpec',
  'getSpecOffer',
])
