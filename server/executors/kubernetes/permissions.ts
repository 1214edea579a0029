import * as z from 'zod'
import type { ClusterApi } from './cluster-api.ts'
import { NEEDS, type Need } from './setup.ts'

/** A right that the cluster does not give us. */
export interface Missing {
  /** Such as `create jobs.batch in skein`. */
  readonly right: string
  readonly why: string
  readonly isOptional: boolean
}

const Review = z.object({ status: z.object({ allowed: z.boolean() }) })

/** Asks the cluster, right by right, what it would let us do. It does nothing there. */
export async function missingRights(api: ClusterApi, namespace: string): Promise<readonly Missing[]> {
  const asked = NEEDS.flatMap(need => need.verbs.map(verb => ({ need, verb })))
  const answers = await Promise.all(asked.map(({ need, verb }) => isAllowed(api, need, verb, namespace)))
  return asked
    .filter((_, index) => !answers[index])
    .map(({ need, verb }) => ({
      right: `${verb} ${need.resource}${need.group === '' ? '' : `.${need.group}`} in ${need.isClusterWide ? 'the whole cluster' : namespace}`,
      why: need.why,
      isOptional: need.isOptional ?? false,
    }))
}

async function isAllowed(
  api: ClusterApi,
  { group, resource, isClusterWide }: Need,
  verb: string,
  namespace: string,
): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { group, resource, verb, ...(isClusterWide ? {} : { namespace }) } },
  }
  const { status } = await api.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', Review, { body })
  return status.allowed
}
