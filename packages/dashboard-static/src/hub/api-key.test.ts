import { describe, expect, it } from 'vitest'
import { createApiKey, type KeyStorage } from './api-key.ts'

function mapStorage(): KeyStorage & { kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  }
}

describe('the API key', () => {
  it('is there again after a reload of the tab, for the same hub only', () => {
    const storage = mapStorage()
    createApiKey('https://hub.example/', () => storage).set('mp_1')
    expect(createApiKey('https://hub.example/', () => storage).get()).toBe('mp_1')
    expect(createApiKey('https://evil.example/', () => storage).get()).toBeNull()
  })

  it('leaves nothing behind when it is forgotten', () => {
    const storage = mapStorage()
    const key = createApiKey('https://hub.example/', () => storage)
    key.set('mp_1')
    key.forget()
    expect(key.get()).toBeNull()
    expect(storage.kept.size).toBe(0)
  })

  it('works until the reload where the browser forbids storage', () => {
    const key = createApiKey('https://hub.example/', () => {
      throw new Error('SecurityError')
    })
    expect(key.get()).toBeNull()
    key.set('mp_1')
    expect(key.get()).toBe('mp_1')
    key.forget()
    expect(key.get()).toBeNull()
  })
})
