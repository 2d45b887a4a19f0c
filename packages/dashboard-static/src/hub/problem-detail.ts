/** `detail` of a problem document (RFC 9457): the hub's own sentence; null when there is none. */
export function readDetail(text: string): string | null {
  try {
    const document: unknown = JSON.parse(text)
    const detail = typeof document === 'object' && document !== null && 'detail' in document ? document.detail : null
    return typeof detail === 'string' ? detail.slice(0, 300) : null
  } catch {
    return null
  }
}
