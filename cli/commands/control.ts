import { randomUUID } from 'node:crypto'
import { type ConnectionOptions, connect } from '../connect.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { reportFailure } from '../failure.ts'
import { watch } from '../follow.ts'
import { resolveJobId } from '../job-id.ts'
import type { World } from '../world.ts'

type Options = ConnectionOptions & { readonly json?: boolean }

/** Asks jobs to end. One that cannot be cancelled does not keep the others from it. */
export async function cancel(world: World, given: readonly string[], options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  let code: ExitCode = EXIT.ok
  for (const text of given) {
    try {
      const id = await resolveJobId(client, text)
      const accepted = await client.cancelJob({ params: { id } })
      await world.out.line(options.json ? JSON.stringify(accepted) : `${id} is being cancelled`)
    } catch (error) {
      code = await reportFailure(world, error)
    }
  }
  return code
}

/** Runs a job that has ended once more, as a new one, from the same snapshot. */
export async function retry(
  world: World,
  given: string,
  options: Options & { readonly follow?: boolean; readonly raw?: boolean },
): Promise<ExitCode> {
  const connection = await connect(world, options)
  const { client } = connection
  const id = await resolveJobId(client, given)
  const accepted = await client.retryJob({ params: { id }, headers: { 'idempotency-key': randomUUID() } })
  await world.out.line(
    options.json ? JSON.stringify({ type: 'accepted', jobId: accepted.jobId, status: accepted.status }) : accepted.jobId,
  )
  if (!options.follow) return EXIT.ok
  return watch(world, connection, accepted.jobId, { json: options.json === true, raw: options.raw === true })
}

/** Answers a permission request of an agent. */
export async function answer(
  world: World,
  given: string,
  requestId: string,
  optionId: string,
  options: Options,
): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const id = await resolveJobId(client, given)
  const answered = await client.answerPermission({ params: { id, requestId }, body: { optionId } })
  await world.out.line(options.json ? JSON.stringify(answered) : 'answered')
  return EXIT.ok
}
