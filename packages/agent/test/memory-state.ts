import type { PrivateDir } from '../src/state/private-dir.ts'

/** A state folder in memory. */
export function memoryState(): Pick<PrivateDir, 'read' | 'write'> {
  const files = new Map<string, unknown>()
  return {
    read: async (file, schema) => (files.has(file) ? schema.parse(files.get(file)) : null),
    write: async (file, content) => void files.set(file, structuredClone(content)),
  }
}
