import { type CancellationToken, type Connection, LSPErrorCodes, ResponseError } from 'vscode-languageserver/node'
import { messageOf } from '#server/lib/message-of.ts'
import {
  ApiError,
  type DoctorAnswer,
  LSP_NOTIFICATIONS,
  LSP_PROBLEM,
  LSP_REQUESTS,
  LspSubscribe,
  LspUnsubscribe,
  type PieceParams,
  type StreamParams,
} from '#shared/contract/index.ts'
import { carryOut } from './calls.ts'
import type { Session } from './session.ts'
import type { Following } from './subscriptions.ts'

type Wire = Pick<Connection, 'onRequest' | 'sendNotification'>

/** Answers the requests of an editor that are for the orchestrator. @param session throws until the editor has said `initialize` */
export function answerRequests(
  connection: Wire,
  { session, doctor }: { session: () => Session; doctor: () => Promise<DoctorAnswer> },
): void {
  /** By the number that the client chose. */
  const followed = new Map<number, Following>()

  connection.onRequest(LSP_REQUESTS.call, (params: unknown, token: CancellationToken) =>
    asResponse(async () => {
      const aborter = new AbortController()
      const listener = token.onCancellationRequested(() => aborter.abort())
      // A token that was cancelled before anybody looked at it never says so by itself.
      if (token.isCancellationRequested) aborter.abort()
      const { signal } = aborter
      try {
        return await carryOut(params, {
          signal,
          client: () => session().client(signal),
          piece: (pieces, base64) =>
            connection.sendNotification(LSP_NOTIFICATIONS.piece, { pieces, base64 } satisfies PieceParams),
        })
      } catch (error) {
        if (signal.aborted) throw new ResponseError(LSPErrorCodes.RequestCancelled, 'The call was cancelled.')
        throw error
      } finally {
        listener.dispose()
      }
    }),
  )

  connection.onRequest(LSP_REQUESTS.subscribe, (params: unknown) =>
    asResponse(async () => {
      const parsed = LspSubscribe.safeParse(params)
      if (!parsed.success) throw new ApiError('invalid_request', `This is no subscription: ${parsed.error.issues[0]?.message}.`)
      const { subscription, topic, cursor } = parsed.data
      if (followed.has(subscription)) throw new ApiError('invalid_request', `Subscription ${subscription} is in use.`)
      const following = session().follow(topic, cursor, (item, at) => {
        if (item.type === 'end' || item.type === 'error') followed.delete(subscription)
        return connection.sendNotification(LSP_NOTIFICATIONS.stream, { subscription, cursor: at, item } satisfies StreamParams)
      })
      followed.set(subscription, following)
      await following.begun
      return null
    }),
  )

  connection.onRequest(LSP_REQUESTS.unsubscribe, (params: unknown) =>
    asResponse(async () => {
      const parsed = LspUnsubscribe.safeParse(params)
      if (!parsed.success) throw new ApiError('invalid_request', 'A subscription is named by its number.')
      followed.get(parsed.data.subscription)?.end()
      followed.delete(parsed.data.subscription)
      return null
    }),
  )

  connection.onRequest(LSP_REQUESTS.serverState, () => asResponse(async () => session().state()))
  connection.onRequest(LSP_REQUESTS.reconnect, () =>
    asResponse(async () => {
      session().reconnect()
      return null
    }),
  )
  connection.onRequest(LSP_REQUESTS.doctor, () => asResponse(doctor))
}

/** Failures go as JSON-RPC says, with the problem document as their data. */
async function asResponse<T>(work: () => Promise<T>): Promise<T | ResponseError<unknown>> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ResponseError) return error
    const message = messageOf(error)
    const problem = (error instanceof ApiError ? error : new ApiError('internal', message, { cause: error })).toProblem()
    return new ResponseError(LSP_PROBLEM, problem.detail, problem)
  }
}
