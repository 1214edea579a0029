import type { SandboxErrorCode } from '../index.ts'
import type { ClusterEvent, Job, Pod } from './objects.ts'
import { parseQuantity } from './quantity.ts'

/** Why a sandbox is not, or no longer. The text is for people. */
export interface Failure {
  readonly code: SandboxErrorCode
  readonly text: string
  readonly remedy?: string
  /** Whether it is over for good, rather than what the cluster tries again and may yet get right. */
  readonly isFinal: boolean
  /** The limit that all inside together went past, where that was it. */
  readonly limit?: 'memory' | 'disk'
}

/** What the cluster says of one sandbox, in our words. */
export interface Condition {
  readonly state: 'pending' | 'running' | 'ended'
  /** Why it is pending or ended. */
  readonly reason: string | null
  readonly failure: Failure | null
  readonly machine: string | null
  readonly image: string | null
  readonly imageDigest: string | null
  readonly startedAt: string | null
}

/** What was seen of one sandbox; each may be missing, for a time or for ever. */
export interface Sight {
  readonly job: Job | null
  readonly pod: Pod | null
  /** Of the Job and of the pod, oldest first. */
  readonly events: readonly Pick<ClusterEvent, 'type' | 'reason' | 'message'>[]
}

/** Longer words of the cluster are cut: they go into events and onto pages. */
const LONGEST_TEXT = 600
const SIGKILL_EXIT = 137
/** Of the shell that starts the runner, when there is no such program, and when it is none for this machine. */
const NOT_FOUND_EXIT = 127
const NOT_STARTED_EXIT = 126
const NO_NODE = 'The image has no Node.js, with which the runner runs'

export const clip = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line
}
const say = (what: string, message: string | undefined): string => clip(message ? `${what}: ${message}` : what)

const failed = (code: SandboxErrorCode, text: string, remedy?: string): Failure => ({
  code,
  text,
  isFinal: true,
  ...(remedy === undefined ? {} : { remedy }),
})
const perhaps = (code: SandboxErrorCode, text: string, remedy?: string): Failure => ({
  ...failed(code, text, remedy),
  isFinal: false,
})

/** Makes out of a Job, its pod and their events what became of a sandbox. */
export function judge({ job, pod, events }: Sight): Condition {
  const main = pod?.status.containerStatuses[0]
  const base = {
    machine: pod?.spec.nodeName ?? null,
    image: main?.image ?? pod?.spec.containers[0]?.image ?? null,
    imageDigest: /sha256:[0-9a-f]{64}/.exec(main?.imageID ?? '')?.[0] ?? null,
    startedAt: main?.state.running?.startedAt ?? pod?.status.startTime ?? null,
  }
  const ended = (failure: Failure | null): Condition => ({ ...base, state: 'ended', reason: failure?.text ?? null, failure })
  const pending = (reason: string, failure: Failure | null = null): Condition => ({ ...base, state: 'pending', reason, failure })

  const over = podFailure(pod, events) ?? jobFailure(job)
  if (over) return ended(over)
  if (pod?.status.phase === 'Succeeded') return ended(null)
  if (!pod) return beforeThePod(job, events, pending)
  if (main?.state.running) return { ...base, state: 'running', reason: null, failure: null }
  const waiting = main?.state.waiting
  if (waiting?.reason && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
    const failure = whyNotStarted(waiting.reason, waiting.message)
    return pending(failure.text, failure)
  }
  const unscheduled = pod.status.conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled && unscheduled.reason !== 'SchedulingGated') {
    const failure = perhaps('unschedulable', say('No node of the cluster has room for it', unscheduled.message))
    return pending(failure.text, failure)
  }
  if (unscheduled) return pending('Held back by a scheduling gate of the cluster')
  return pending(whileCreating(events, pod.spec.nodeName))
}

/** How a kubelet says that a pod used more disk than its own limit, rather than that the node has none left. */
const OWN_DISK = /ephemeral local storage usage exceeds the total limit of containers|exceeded its local ephemeral storage limit/i

/** What a pod's own end says; null while it is not over. */
function podFailure(pod: Pod | null, events: Sight['events']): Failure | null {
  if (!pod) return null
  const { phase, reason, message, conditions, containerStatuses } = pod.status
  const disruption = conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')
  if (disruption?.reason === 'PreemptionByScheduler')
    return failed('lost', say('Preempted: the cluster gave its place to something more important', disruption.message))
  if (reason === 'Evicted') {
    const isOwn = OWN_DISK.test(message ?? '')
    return { ...failed('lost', say('Evicted by its node', message)), ...(isOwn ? { limit: 'disk' as const } : {}) }
  }
  if (reason === 'DeadlineExceeded') return failed('failed', say('It ran longer than a sandbox may', message))
  if (reason === 'NodeLost' || reason === 'Shutdown' || reason === 'Terminated' || reason === 'NodeShutdown')
    return failed('lost', say('Its node went away', message))
  if (reason === 'UnexpectedAdmissionError' || reason === 'OutOfcpu' || reason === 'OutOfmemory' || reason === 'OutOfpods')
    return failed('unschedulable', say('Its node took it and then had no room', message))
  if (disruption) return failed('lost', say(disruptionWords(disruption.reason), disruption.message))
  const terminated = containerStatuses[0]?.state.terminated
  if (terminated?.reason === 'OOMKilled')
    return {
      ...failed('lost', 'It used more memory than it may, and was killed', 'Ask for more memory: `--memory`.'),
      limit: 'memory',
    }
  // A node may tell of a container that it killed before it tells what for.
  const eviction = terminated && terminated.exitCode !== 0 && events.findLast(({ reason }) => reason === 'Evicted')
  if (eviction) return failed('lost', say('Evicted by its node', eviction.message))
  if (terminated && terminated.exitCode !== 0) return exitFailure(terminated)
  if (phase === 'Failed') return failed('lost', say('Its pod failed', message ?? reason))
  if (phase === 'Unknown') return failed('lost', say('Its node does not answer', message))
  return null
}

function disruptionWords(reason: string | undefined): string {
  switch (reason) {
    case 'EvictionByEvictionAPI':
      return 'Evicted: its node is being drained'
    case 'DeletionByTaintManager':
      return 'Evicted: its node no longer takes it'
    case 'DeletionByPodGC':
      return 'Its node is gone'
    case 'TerminationByKubelet':
      return 'Evicted by its node'
    default:
      return 'Taken away by the cluster'
  }
}

/** The runner is the container's program: it ends with 0 when told to, so anything else is worth saying. */
function exitFailure({
  exitCode,
  reason,
  message,
}: {
  exitCode: number
  reason?: string | undefined
  message?: string | undefined
}) {
  if (reason === 'StartError' || reason === 'ContainerCannotRun') return whyNotStarted(reason, message)
  if (exitCode === NOT_FOUND_EXIT) return failed('image_unsuitable', say(NO_NODE, message), NODE_REMEDY)
  if (exitCode === NOT_STARTED_EXIT) return failed('image_unsuitable', say('The Node.js of the image does not start', message))
  const words = exitCode === SIGKILL_EXIT ? 'The runner in it was killed' : `The runner in it ended with exit code ${exitCode}`
  return failed('lost', say(words, message))
}

function jobFailure(job: Job | null): Failure | null {
  const condition = job?.status.conditions.find(
    ({ type, status }) => (type === 'Failed' || type === 'FailureTarget') && status === 'True',
  )
  if (!condition) return null
  if (condition.reason === 'DeadlineExceeded') return failed('failed', 'It was there longer than a sandbox may be')
  return failed('lost', say('Its Job failed', condition.message))
}

function beforeThePod(
  job: Job | null,
  events: Sight['events'],
  pending: (reason: string, failure?: Failure) => Condition,
): Condition {
  const refused = events.findLast(({ reason }) => reason === 'FailedCreate')
  if (refused) {
    const failure = /exceeded quota/i.test(refused.message)
      ? perhaps(quotaCode(refused.message), quotaWords(refused.message))
      : /violates PodSecurity/i.test(refused.message)
        ? failed('failed', say('The namespace refuses such a pod', refused.message))
        : perhaps('failed', say('The cluster refuses its pod', refused.message))
    return pending(failure.text, failure)
  }
  if (job?.spec.suspend) return pending('Waits in a queue of the cluster until it is let in')
  return pending('Waits for the cluster to make its pod')
}

/** Whether others fill the quota, so that waiting helps, or it would not let such a pod in if it were empty. */
export function quotaCode(message: string): 'unschedulable' | 'quota_exceeded' {
  const amounts = (what: string) =>
    new Map(
      (new RegExp(`\\b${what}: ((?:[^\\s,:=]+=[^\\s,:=]+,?)+)`).exec(message)?.[1] ?? '')
        .split(',')
        .flatMap(pair => (pair.includes('=') ? [pair.split('=') as [string, string]] : [])),
    )
  const limited = amounts('limited')
  const isTooMuch = [...amounts('requested')].some(([name, value]) => {
    try {
      return parseQuantity(value) > parseQuantity(limited.get(name) ?? value)
    } catch {
      // Said in a way that is not known here: then time tells.
      return false
    }
  })
  return isTooMuch ? 'quota_exceeded' : 'unschedulable'
}

/** `… exceeded quota: compute, requested: pods=1, used: pods=3, limited: pods=3`, said shorter. */
export function quotaWords(message: string): string {
  const [, quota, details] = /exceeded quota: ([^,]+), (requested: .*)$/s.exec(message) ?? []
  return quota && details ? clip(`Quota ${quota} of the namespace is used up (${details})`) : say('A quota is used up', message)
}

const NO_PROGRAM = /executable file not found|no such file or directory/i
const OTHER_MACHINE = /exec format error/i

/** The reasons for which a container waits, or could not be started. */
function whyNotStarted(reason: string, message: string | undefined): Failure {
  switch (reason) {
    case 'InvalidImageName':
      return failed('image_unavailable', say('That is no name of an image', message))
    case 'ErrImageNeverPull':
      return failed(
        'image_unavailable',
        say('The image is not on the node, and may not be pulled', message),
        'Load it into the cluster, or set `executors.kubernetes.imagePull` to `IfNotPresent`.',
      )
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'RegistryUnavailable':
      return pullFailure(message)
    case 'CreateContainerConfigError':
      return configFailure(message)
    default:
      if (OTHER_MACHINE.test(message ?? ''))
        return failed('image_unsuitable', say('The image is for another kind of processor', message))
      if (NO_PROGRAM.test(message ?? '')) return failed('image_unsuitable', say(NO_NODE, message), NODE_REMEDY)
      if (reason === 'CrashLoopBackOff' || reason === 'StartError' || reason === 'ContainerCannotRun')
        return failed('failed', say('Its container does not start', message))
      return perhaps('failed', say(`Its container does not start (${reason})`, message))
  }
}
const NODE_REMEDY = 'Take an image with Node.js 22 or later on its PATH, such as node:24.'

function pullFailure(message: string | undefined): Failure {
  const text = say('The image cannot be pulled', message)
  if (/not found|manifest unknown|does not exist|name unknown/i.test(message ?? '')) return failed('image_unavailable', text)
  if (/unauthorized|denied|forbidden|authentication required/i.test(message ?? ''))
    return failed('image_unavailable', text, 'Name a secret with a login for it in `executors.kubernetes.imagePullSecrets`.')
  if (/no match for platform|exec format/i.test(message ?? ''))
    return failed('image_unsuitable', say('The image is for another kind of processor', message))
  return perhaps('image_unavailable', text)
}

function configFailure(message: string | undefined): Failure {
  if (/run as root|non-root|runAsNonRoot|non-numeric user/i.test(message ?? ''))
    return failed('image_unsuitable', say('The image insists on running as root', message))
  return perhaps('failed', say('The cluster cannot set up its container', message))
}

const STEPS = ['Pulling', 'Pulled', 'FailedMount', 'FailedCreatePodSandBox']

/** The event with which a node tells that it pulls, mounts, waits or complains; the newest one counts. */
function whileCreating(events: Sight['events'], machine: string | undefined): string {
  const newest = events.findLast(({ type, reason }) => STEPS.includes(reason) || type === 'Warning')
  switch (newest?.reason) {
    case 'Pulling':
      return clip(`Pulls the image (${newest.message})`)
    case 'FailedMount':
      return say('Its node cannot mount what it needs yet', newest.message)
    case 'FailedCreatePodSandBox':
      return say('Its node cannot make the pod yet', newest.message)
    default:
      if (newest?.type === 'Warning') return say(`Its node has trouble with it (${newest.reason})`, newest.message)
      return machine ? `Is made on ${machine}` : 'Waits for a node of the cluster'
  }
}
