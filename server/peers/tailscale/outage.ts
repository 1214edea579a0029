import type { MeshOutage } from '../peer-directory.ts'
import { LocalApiError } from './local-api.ts'

const LOGIN = 'Run `tailscale up`.'

/** Why a daemon that answers is of no use. @param state `BackendState` (`ipn.State` of tailscale.com) @returns null when it runs */
export function outageOf(state: string): MeshOutage | null {
  switch (state) {
    case 'Running':
      return null
    case 'Stopped':
      return { state: 'stopped', what: 'Tailscale is off.', fix: LOGIN }
    case 'NeedsLogin':
      return { state: 'needs_login', what: 'Tailscale is not logged in.', fix: LOGIN }
    case 'NeedsMachineAuth':
      return {
        state: 'needs_login',
        what: 'This machine waits for approval by an administrator of the tailnet.',
        fix: 'Approve it in the admin console of Tailscale.',
      }
    default:
      return { state: 'starting', what: `Tailscale is starting (${state}).`, fix: 'Try again in a moment; then see its own log.' }
  }
}

/** Why the daemon does not answer. @param isInstalled whether the command is there */
export function outageFrom(error: unknown, where: string, isInstalled: boolean): MeshOutage {
  const code = error instanceof LocalApiError ? error.status : (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      if (!isInstalled && code === 'ENOENT')
        return {
          state: 'absent',
          what: 'Tailscale was not found.',
          fix: 'Install it (https://tailscale.com/download), or pair nodes by a code: `skein pair`.',
        }
      return {
        state: 'stopped',
        what: `Nobody answers at ${where}: the service of Tailscale does not run.`,
        fix: 'Start it, for instance by `sudo systemctl start tailscaled`, or name its socket in SKEIN_TAILSCALE_SOCKET.',
      }
    case 'EACCES':
    case 'EPERM':
    case 401:
    case 403:
      return {
        state: 'no_permission',
        what: `This user may not ask Tailscale at ${where}.`,
        fix: 'Let it: `sudo tailscale set --operator=USER`, and the right to open that socket. Or set SKEIN_TAILSCALE_SOCKET=off.',
      }
    default:
      return {
        state: 'unreachable',
        what: `Tailscale does not answer as it should at ${where}: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
        fix: 'See `tailscale status`; update Tailscale when it is older than 1.60.',
      }
  }
}
