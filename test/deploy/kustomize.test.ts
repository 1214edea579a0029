import { describe, expect, test } from 'vitest'
import { KUSTOMIZE, type Manifest, objectsOf, template, toStream, whyNoHelm, whyNoKubectl } from './chart.ts'
import { run } from './engine.ts'

const missing = (await whyNoKubectl()) ?? (await whyNoHelm())
if (missing) console.warn(`Skipped: the kustomize base. ${missing}`)

const built = async (folder: string): Promise<Manifest[]> => {
  const { code, stdout, stderr } = await run('kubectl', ['kustomize', `${KUSTOMIZE}/${folder}`])
  expect(code, stderr).toBe(0)
  return objectsOf(stdout)
}

/** Without what only Helm means something by. Settings come from a file there, so their hash is in the name of their map. */
function withoutHelm(objects: readonly Manifest[]): Manifest[] {
  return structuredClone(objects).map(object =>
    JSON.parse(JSON.stringify(object), function (this: unknown, key, value) {
      const isHelms = key === 'helm.sh/chart' || (key === 'app.kubernetes.io/managed-by' && value === 'Helm')
      return isHelms || key === 'checksum/config' ? undefined : value
    }),
  )
}
const isSettings = ({ kind }: Manifest) => kind === 'ConfigMap'
const names = (objects: readonly Manifest[]) =>
  objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)

describe.skipIf(missing !== null)('the kustomize base', () => {
  test('is what the chart makes', async () => {
    const chart = withoutHelm(objectsOf((await template()).stdout))
    const [settings] = chart.filter(isSettings)
    const header = '# Written by test/deploy/kustomize.test.ts from deploy/helm/skein; see kustomization.yaml.\n'
    await expect(header + toStream(chart.filter(object => !isSettings(object)))).toMatchFileSnapshot(
      `${KUSTOMIZE}/base/node.yaml`,
    )
    await expect(settings?.data?.['skein.yaml']).toMatchFileSnapshot(`${KUSTOMIZE}/base/skein.yaml`)

    const base = await built('base')
    expect(base.filter(isSettings).map(({ data }) => data)).toEqual([settings?.data])
    const hashed = base.find(isSettings)?.metadata.name ?? ''
    expect(hashed).toMatch(/^skein-[a-z0-9]+$/)
    const same = JSON.parse(JSON.stringify(base).replaceAll(`"${hashed}"`, '"skein"')) as Manifest[]
    const rest = same.filter(object => !(object.kind === 'Namespace' && object.metadata.name === 'skein'))
    expect(names(rest).sort()).toEqual(names(chart).sort())
    for (const object of chart) expect(rest).toContainEqual(object)
  })

  test.each([
    ['k3s', 'local-path', 'localhost/skein:'],
    ['microk8s', 'microk8s-hostpath', 'localhost:32000/skein:'],
  ])('fits %s', async (cluster, storageClass, image) => {
    const [base, overlay] = await Promise.all([built('base'), built(`overlays/${cluster}`)])
    expect(names(overlay)).toEqual(names(base))
    const set = JSON.stringify(overlay.find(({ kind }) => kind === 'StatefulSet'))
    expect(set).toContain(`"storageClassName":"${storageClass}"`)
    expect(set).toContain(`"image":"${image}`)
  })
})
