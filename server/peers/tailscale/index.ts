/** Tailscale, by the LocalAPI of the daemon on this machine. */
export { tailscaleMesh } from './tailscale.ts'
