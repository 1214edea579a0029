import { execFile } from 'node:child_process'
import { access, constants, mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { createProbes, inspectPeers, marksOfNobody } from '#server/compose.ts'
import { resolveConfig } from '#server/config.ts'
import { type DoctorReport, diagnose, tryExecutor } from '#server/doctor.ts'
import { systemClock } from '#server/lib/clock.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { runningServer } from '../connect.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { renderDoctor } from '../render/doctor.ts'
import type { World } from '../world.ts'

const execute = promisify(execFile)

/** Says what was found on this machine; fails when no job could run. */
export async function doctor(
  world: World,
  options: { config?: string; dataDir?: string; try?: boolean; json?: boolean },
): Promise<ExitCode> {
  const { env, cwd, out } = world
  const resolved = await resolveConfig({ flags: { config: options.config, dataDir: options.dataDir }, env, cwd })
  const running = await runningServer(resolved.config.dataDir)
  await using life = new Lifetime()
  // Never by the marks of the node: its server may run, and what it has would be taken for what an earlier one left.
  const directory = await mkdtemp(join(tmpdir(), 'skein-doctor-'))
  life.defer(() => rm(directory, { recursive: true, force: true }))
  const probes = createProbes(resolved.config, env, undefined, undefined, marksOfNobody(directory))
  for (const executor of probes.executors) life.use(executor)
  const report: DoctorReport = await diagnose({
    ...(options.try ? { tryExecutor: executor => tryExecutor(executor, systemClock) } : {}),
    resolved,
    env,
    ...probes,
    peers: () => inspectPeers(resolved.config, probes.mesh),
    nodeVersion: process.version,
    git: () =>
      execute('git', ['--version']).then(
        ({ stdout }) => stdout.trim(),
        () => null,
      ),
    disk,
    server: running?.url ?? null,
    clock: systemClock,
  })
  for (const line of options.json ? [JSON.stringify(report)] : renderDoctor(report, out)) await out.line(line)
  return report.ok ? EXIT.ok : EXIT.failed
}

/** Looks at the directory, or at the nearest one above it that exists: the first start makes the rest. */
async function disk(directory: string): Promise<{ freeBytes: number | null; writable: boolean }> {
  try {
    const { bavail, bsize } = await statfs(directory)
    const writable = await access(directory, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    )
    return { freeBytes: bavail * bsize, writable }
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return missing && dirname(directory) !== directory ? disk(dirname(directory)) : { freeBytes: null, writable: false }
  }
}
