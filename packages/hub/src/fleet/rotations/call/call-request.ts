import type { OutboundRequest } from '../../../outbound/outbound.ts'
import type { RotationConfig } from '../../../store/index.ts'

/** Some providers answer browsers only (reference/device-control.md 1.8). */
const USER_AGENT = 'Mozilla/5.0 (compatible; MobilePool)'

/** The request that makes a device rotate, placeholders filled in; null where the device has no rotation URL. */
export function callRequest(device: RotationConfig & { id: string; name: string }, timeoutMs: number): OutboundRequest | null {
  const { rotationUrl, rotationToken: token, rotationHttpMethod: method, rotationHeaders, rotationBody } = device
  if (rotationUrl === null) return null
  const values: Record<string, string> = { token: token ?? '', device: device.name, device_id: device.id }
  const fill = (text: string, write: (value: string) => string): string =>
    text.replaceAll(/\{(token|device|device_id)\}/g, (_all, name: string) => write(values[name] ?? ''))

  const headers: Record<string, string> = { 'user-agent': USER_AGENT, accept: 'application/json, text/plain, */*' }
  for (const [name, value] of Object.entries(rotationHeaders ?? {})) headers[name.toLowerCase()] = fill(value, (text) => text)
  const body = rotationBody === null || method === 'GET' ? null : fill(rotationBody, isJson(rotationBody) ? inJson : (text) => text)
  if (body !== null) headers['content-type'] ??= isJson(rotationBody ?? '') ? 'application/json' : 'application/x-www-form-urlencoded'
  const templates = [rotationUrl, rotationBody ?? '', ...Object.values(rotationHeaders ?? {})]
  if (token !== null && !templates.some((template) => template.includes('{token}'))) headers.authorization ??= `Bearer ${token}`
  return { url: fill(rotationUrl, encodeURIComponent), method, headers, ...(body === null ? {} : { body }), timeoutMs }
}

const isJson = (text: string): boolean => /^\s*[{[]/.test(text)
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)
