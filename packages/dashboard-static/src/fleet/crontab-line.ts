/**
 * The line that makes any box with a proxy server a device: once a minute (cron's finest step), give up after 10 s, say nothing.
 * `base` is the hub's address, ending in `/`, as `parseHubAddress` lets it through: nothing in it means anything to a shell.
 */
export const crontabLine = (base: string): string => `* * * * * curl -fsS -m 10 "${base}proxy_server?name=$(hostname)" > /dev/null`

/** Is the hub at an address that only this machine can reach? */
export function isThisMachineOnly(base: string): boolean {
  return /^https?:\/\/(localhost|[\w.-]+\.localhost|127\.[\d.]+|\[::1\])[:/]/.test(base)
}
