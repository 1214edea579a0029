import type { ExecutorCapacity, KubernetesConfig } from '#shared/model/index.ts'
import type { Machine, Pod, Quota } from './objects.ts'
import { parseQuantity } from './quantity.ts'

/** What was found in the cluster. Each but the quotas may be hidden from us: null. */
export interface Found {
  readonly machines: readonly Machine[] | null
  /** Of all namespaces. */
  readonly pods: readonly Pod[] | null
  /** Of ours. */
  readonly quotas: readonly Quota[]
}

interface Room {
  cpuCores: number
  memoryBytes: number
  diskBytes: number
  gpuCount: number
  pods: number
}

const MOST_IMAGES = 1000
/** What is reported of a cluster that does not let us see its nodes. */
const UNKNOWN_PLACES = 1

/** What the API server said, or nothing where it is no quantity: a strange node must not hide the others. */
const amount = (resources: Readonly<Record<string, string>>, name: string): number => {
  try {
    return parseQuantity(resources[name] ?? '0')
  } catch {
    return 0
  }
}

/** What a cluster can give beyond what runs: what its nodes have, less what pods asked for, and no more than the quotas leave. */
export function capacityOf({ machines, pods, quotas }: Found, settings: KubernetesConfig): ExecutorCapacity {
  const quota = quotaRoom(quotas, settings)
  if (machines === null || pods === null) return hidden(quota)
  const open = machines.filter(machine => takes(machine, settings))
  const rooms = open.map(machine => room(machine, pods, settings))
  const sum = (of: keyof Room) => rooms.reduce((total, room) => total + room[of], 0)
  const byNodes = rooms.reduce((total, room) => total + placesIn(room, settings), 0)
  const places = Math.min(byNodes, quota.places)
  return {
    cpuCores: Math.max(0, Math.min(sum('cpuCores'), quota.cpuCores)),
    memoryBytes: Math.max(0, Math.floor(Math.min(sum('memoryBytes'), quota.memoryBytes))),
    gpuCount: Math.max(0, Math.floor(sum('gpuCount'))),
    places,
    images: images(open),
    full: places > 0 ? null : whyFull(machines, open, rooms, quota, settings),
  }
}

function takes({ spec, status, metadata }: Machine, { tolerations, nodeSelector }: KubernetesConfig): boolean {
  if (spec.unschedulable) return false
  if (!status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return false
  if (Object.entries(nodeSelector).some(([key, value]) => metadata.labels[key] !== value)) return false
  return spec.taints.every(
    taint =>
      taint.effect === 'PreferNoSchedule' ||
      tolerations.some(
        ({ key, operator, value, effect }) =>
          (key === undefined || key === taint.key) &&
          (operator === 'Exists' || value === taint.value) &&
          (effect === undefined || effect === taint.effect),
      ),
  )
}

function room({ metadata, status }: Machine, pods: readonly Pod[], { gpuResource }: KubernetesConfig): Room {
  const here = pods.filter(
    ({ spec, status }) => spec.nodeName === metadata.name && !['Succeeded', 'Failed'].includes(status.phase),
  )
  const free = (name: string) => amount(status.allocatable, name) - here.reduce((total, pod) => total + asked(pod, name), 0)
  return {
    cpuCores: free('cpu'),
    memoryBytes: free('memory'),
    diskBytes: free('ephemeral-storage'),
    gpuCount: free(gpuResource),
    pods: amount(status.allocatable, 'pods') - here.length,
  }
}

/** Init containers run one after another before the others, so the largest of them counts if it is larger. */
function asked({ spec }: Pod, name: string): number {
  const all = spec.containers.reduce((total, { resources }) => total + amount(resources.requests, name), 0)
  const first = Math.max(0, ...spec.initContainers.map(({ resources }) => amount(resources.requests, name)))
  return Math.max(all, first) + amount(spec.overhead, name)
}

function placesIn(room: Room, { requests }: KubernetesConfig): number {
  const fits = (free: number, one: number) => Math.floor(free / one + 1e-9)
  return Math.max(
    0,
    Math.min(
      fits(room.cpuCores, requests.cpuCores),
      fits(room.memoryBytes, requests.memoryBytes),
      fits(room.diskBytes, requests.diskBytes),
      room.pods,
    ),
  )
}

interface QuotaRoom {
  readonly cpuCores: number
  readonly memoryBytes: number
  readonly places: number
  /** The one that leaves nothing. */
  readonly full: string | null
}

function quotaRoom(quotas: readonly Quota[], { requests }: KubernetesConfig): QuotaRoom {
  const one: Readonly<Record<string, number>> = {
    cpu: requests.cpuCores,
    'requests.cpu': requests.cpuCores,
    memory: requests.memoryBytes,
    'requests.memory': requests.memoryBytes,
    'requests.ephemeral-storage': requests.diskBytes,
    pods: 1,
    'count/jobs.batch': 1,
    'count/pods': 1,
  }
  const lines = quotas.flatMap(({ metadata, status: { hard, used } }) =>
    Object.keys(hard)
      .filter(resource => one[resource] !== undefined)
      .map(resource => {
        const left = Math.max(0, amount(hard, resource) - amount(used, resource))
        return {
          name: metadata.name,
          resource,
          left,
          places: Math.floor(left / (one[resource] ?? 1) + 1e-9),
          used: used[resource],
          hard: hard[resource],
        }
      }),
  )
  const least = (...resources: string[]) =>
    Math.min(Number.POSITIVE_INFINITY, ...lines.filter(({ resource }) => resources.includes(resource)).map(({ left }) => left))
  const full = lines.find(({ places }) => places === 0)
  return {
    cpuCores: least('cpu', 'requests.cpu'),
    memoryBytes: least('memory', 'requests.memory'),
    places: Math.min(Number.POSITIVE_INFINITY, ...lines.map(({ places }) => places)),
    full: full ? `quota ${full.name} of the namespace leaves no room: ${full.resource}, ${full.used ?? 0} of ${full.hard}` : null,
  }
}

/** Only what the quotas say is known; without any, that at least one may be tried. */
function hidden(quota: QuotaRoom): ExecutorCapacity {
  const finite = (value: number) => (Number.isFinite(value) ? Math.floor(value) : 0)
  const places = Number.isFinite(quota.places) ? quota.places : UNKNOWN_PLACES
  return {
    cpuCores: Number.isFinite(quota.cpuCores) ? quota.cpuCores : 0,
    memoryBytes: finite(quota.memoryBytes),
    gpuCount: 0,
    places,
    images: [],
    full: quota.full === null ? null : quota.full,
  }
}

function whyFull(
  machines: readonly Machine[],
  open: readonly Machine[],
  rooms: readonly Room[],
  quota: QuotaRoom,
  { requests }: KubernetesConfig,
): string {
  if (quota.full) return quota.full
  if (machines.length === 0) return 'the cluster has no nodes'
  if (open.length === 0)
    return `none of the ${machines.length} nodes of the cluster takes pods of ours: cordoned, not ready, tainted or not selected`
  const short = [
    rooms.every(({ cpuCores }) => cpuCores < requests.cpuCores) && 'processors',
    rooms.every(({ memoryBytes }) => memoryBytes < requests.memoryBytes) && 'memory',
    rooms.every(({ diskBytes }) => diskBytes < requests.diskBytes) && 'disk',
    rooms.every(({ pods }) => pods < 1) && 'pods',
  ].filter(what => what !== false)
  return `no node of the cluster has room for one more: ${short.join(', ') || 'each lacks something'}`
}

const images = (machines: readonly Machine[]): string[] =>
  [...new Set(machines.flatMap(({ status }) => status.images.flatMap(({ names }) => names ?? [])))]
    .filter(name => name.length <= 512)
    .slice(0, MOST_IMAGES)
