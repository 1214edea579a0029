// Holds the module map's one-way rule (docs/ARCHITECTURE.md). A run that saw no module is a failure: dependency-cruiser
// exits 0 when its TypeScript support is missing.
import { cruise } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import rules from '../.dependency-cruiser.mjs'

const { output } = await cruise(
  ['shared', 'server', 'cli', 'demo', 'extension', 'webviews', 'test'],
  { ...rules.options, ruleSet: { forbidden: rules.forbidden }, validate: true },
  undefined,
  { tsConfig: extractTSConfig('./tsconfig.base.json') },
)
const { violations, totalCruised, totalDependenciesCruised } = output.summary
for (const { rule, from, to } of violations) console.error(`${rule.severity} ${rule.name}: ${from} -> ${to}`)
console.log(`imports: ${totalCruised} modules, ${totalDependenciesCruised} edges, ${violations.length} violations`)
if (totalCruised < 20) {
  console.error('Too few modules were seen: the import check is not working. Is TypeScript ~6 installed?')
  process.exit(1)
}
process.exit(violations.length === 0 ? 0 : 1)
