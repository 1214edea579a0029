import { expect, it } from 'vitest'
import { APP, featureOf, specJob, specsOf, specTask } from '#test/fakes/editor-specs.ts'

it('reads a line of each feature, and in full what was opened, once', async () => {
  const { specs, asked } = specsOf({ [APP]: [featureOf([specTask('T001')])] })
  specs.setFolders([APP])
  await Promise.all([specs.refresh(), specs.refresh()])
  expect(specs.folders().map(({ features }) => features.map(({ feature }) => feature))).toEqual([['001-login']])
  expect(specs.feature(APP, '001-login')).toBeUndefined()
  await specs.open(APP, '001-login')
  await specs.open(APP, '001-login')
  await specs.refresh()
  expect(asked).toEqual([APP, `${APP} 001-login`])
})

it('tells what became different, and keeps what did not', async () => {
  const { specs, heard, features } = specsOf({ [APP]: [featureOf([specTask('T001')])] })
  specs.setFolders([APP])
  await specs.refresh()
  const before = await specs.open(APP, '001-login')
  heard.length = 0
  specs.forget([APP])
  await specs.refresh()
  expect(heard).toEqual([])
  expect(specs.feature(APP, '001-login')).toBe(before)

  const after = featureOf([specTask('T001', { job: specJob('running') })])
  features.set(APP, [after])
  specs.forget([APP])
  await specs.refresh()
  expect(heard).toEqual([{ what: 'feature', repository: APP, feature: '001-login', before, after }])
})

it('reads again what changed while it was read', async () => {
  const { specs, asked } = specsOf({ [APP]: [] })
  specs.setFolders([APP])
  const reading = specs.refresh()
  specs.forget([APP])
  await reading
  expect(asked).toEqual([APP, APP])
})

it('keeps what it had and says why, when a folder cannot be read', async () => {
  const { specs, features, heard } = specsOf({ [APP]: [featureOf([])] })
  specs.setFolders([APP, '/elsewhere'])
  await specs.refresh()
  expect(specs.folders().map(({ failure }) => failure)).toEqual([null, 'There is no directory /elsewhere on this machine.'])
  features.delete(APP)
  specs.forget(null)
  await specs.refresh()
  expect(specs.folders()[0]).toMatchObject({ features: [{ feature: '001-login' }], failure: expect.any(String) })
  expect(heard.every(({ what }) => what === 'features')).toBe(true)
})

it('forgets folders that are closed and features that are gone', async () => {
  const { specs, features } = specsOf({ [APP]: [featureOf([])], '/b': [featureOf([])] })
  specs.setFolders([APP, '/b'])
  await specs.refresh()
  await specs.open(APP, '001-login')
  await specs.open('/b', '001-login')
  features.set(APP, [])
  specs.forget([APP])
  await specs.refresh()
  expect(specs.feature(APP, '001-login')).toBeUndefined()
  specs.setFolders([APP])
  expect(specs.folders().map(({ repository }) => repository)).toEqual([APP])
  expect(specs.feature('/b', '001-login')).toBeUndefined()
})
