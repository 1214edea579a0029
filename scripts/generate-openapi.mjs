// Writes docs/openapi.json from the table of operations. A test fails when the file is not what this would write.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { openApiText } from '../server/api/openapi.ts'
import { VERSION } from '../server/lib/version.ts'
import { operations } from '../shared/contract/index.ts'

await writeFile(fileURLToPath(new URL('../docs/openapi.json', import.meta.url)), openApiText(operations, VERSION))
