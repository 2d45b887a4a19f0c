/** Reads the body as UTF-8 text; throws a RangeError beyond `limit` bytes, the network's TypeError when the answer breaks off. */
export async function readBounded(response: Response, limit: number): Promise<string> {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > limit) {
      await reader.cancel().catch(() => undefined)
      throw new RangeError(`the answer is longer than ${limit} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}
