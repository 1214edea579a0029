import { accessSync, constants, existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Where a cluster's address and our credentials there come from. */
export type Source =
  | { readonly kind: 'files'; readonly files: readonly string[]; readonly said: string }
  | { readonly kind: 'in-cluster'; readonly said: string }

export interface Nowhere {
  readonly kind: 'nowhere'
  /** What is wrong; null when there is simply nothing. */
  readonly problem: string | null
  readonly remedy: string
}

/** What is looked at; given by tests. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  exists(file: string): boolean
  isReadable(file: string): boolean
}

const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'
/** Clusters that keep their kubeconfig where only they look, the usual one first. */
const KNOWN = [
  { name: 'k3s', file: '/etc/rancher/k3s/k3s.yaml', remedy: 'sudo chmod 640 /etc/rancher/k3s/k3s.yaml, and its group to yours' },
  {
    name: 'MicroK8s',
    file: '/var/snap/microk8s/current/credentials/client.config',
    remedy: 'sudo usermod -aG microk8s $USER, then log in anew',
  },
] as const

/**
 * Finds the kubeconfig, without reading it: what the settings name, `KUBECONFIG`, `~/.kube/config`, the one of k3s or MicroK8s, or the
 * cluster that this very program runs in.
 */
export function findKubeconfig(setting: string | undefined, around: Surroundings = here()): Source | Nowhere {
  const { env, home, exists, isReadable } = around
  const named = (files: readonly string[], said: string): Source | Nowhere => {
    const [missing] = files.filter(file => !exists(file))
    if (missing !== undefined && files.every(file => !exists(file)))
      return nowhere(`${said} names ${missing}, which does not exist`, 'Name a file that is there, or leave it out.')
    const present = files.filter(file => exists(file))
    const shut = present.find(file => !isReadable(file))
    if (shut !== undefined) return nowhere(`${shut} may not be read`, `Let the user of this node read it: chmod, chgrp.`)
    return { kind: 'files', files: present, said: present.join(delimiter) }
  }

  if (setting !== undefined) return named([setting], '`executors.kubernetes.kubeconfig`')
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter(file => file !== '')
  if (listed.length > 0) return named(listed, 'KUBECONFIG')
  const usual = join(home, '.kube', 'config')
  if (home !== '' && exists(usual)) return named([usual], usual)
  for (const { name, file, remedy } of KNOWN) {
    if (!exists(file)) continue
    if (!isReadable(file)) return nowhere(`${name} is here, but ${file} may not be read`, remedy)
    return { kind: 'files', files: [file], said: `${file} (${name})` }
  }
  if (env.KUBERNETES_SERVICE_HOST && exists(TOKEN)) return { kind: 'in-cluster', said: 'the cluster this runs in' }
  return nowhere(null, 'Install k3s, or name a kubeconfig: `export KUBECONFIG=...`.')
}

const nowhere = (problem: string | null, remedy: string): Nowhere => ({ kind: 'nowhere', problem, remedy })

const here = (): Surroundings => ({
  env: process.env,
  home: homedir(),
  exists: existsSync,
  isReadable(file) {
    try {
      accessSync(file, constants.R_OK)
      return true
    } catch {
      return false
    }
  },
})
