/** `npm run openapi`: writes docs/openapi.json and docs/api.md from what the built hub serves. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHub } from '@mobilepool/hub'
import { type ApiDocument, apiFiles } from './api-files.ts'

const docs = join(import.meta.dirname, '..', 'docs')
const dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-openapi-'))
const hub = await createHub({ port: 0, dataDir, logLevel: 'warn' })
try {
  const answer = await fetch(`${hub.url}/openapi.json`)
  if (!answer.ok) throw new Error(`the hub answered ${answer.status}`)
  const { json, markdown } = apiFiles((await answer.json()) as ApiDocument)
  await writeFile(join(docs, 'openapi.json'), json)
  await writeFile(join(docs, 'api.md'), markdown)
  console.log(`docs/openapi.json and docs/api.md: ${markdown.split('\n### ').length - 1} operations`)
} finally {
  await hub.close()
  await rm(dataDir, { recursive: true, force: true })
}
