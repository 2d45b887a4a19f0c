/** ES2024, from Node 21 on. */
interface Transferable {
  transfer?(newByteLength: number): unknown
}

/**
 * Frees the memory of bytes at once that nobody needs any more; they are gone afterwards. Left to the garbage collector, the buffers of a
 * fast connection pile up outside its heap, and every 64 MB of them make it look through the whole of it: as much work as carrying the
 * bytes. Does nothing with bytes that share their memory with others, as small ones do.
 */
export function giveBack(bytes: Buffer): void {
  if (bytes.byteLength === bytes.buffer.byteLength) (bytes.buffer as Transferable).transfer?.(0)
}
