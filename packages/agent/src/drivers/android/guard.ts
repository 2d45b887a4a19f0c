/** So long after the hold the phone switches itself on again, whatever has become of the cable, of the shell and of the agent. */
const MARGIN_S = 60

/** Where this shell may write: the folder that it is told may be another user's. */
const FIND_FOLDER = 't=$TMPDIR; [ -w "$t" ] || t=/data/local/tmp'
const NAME = 'mobilepool-guard'

/** Ends the guard. After a reboot its number may be another program's. */
export const DISARM = `${FIND_FOLDER}; p=$(cat "$t/${NAME}" 2>/dev/null); grep -q ${NAME} "/proc/$p/cmdline" 2>/dev/null && kill "$p"; rm -f "$t/${NAME}"`

/**
 * Leaves a process on the phone that runs the command `on` when the hold, in ms, and a minute are over: nothing that happens to the agent
 * can leave the phone switched off.
 */
export function armGuard(on: string, holdMs: number): string {
  const seconds = Math.ceil(holdMs / 1_000) + MARGIN_S
  return `${DISARM}\nnohup sh -c ': ${NAME}; sleep ${seconds}; ${on}' </dev/null >/dev/null 2>&1 & echo $! > "$t/${NAME}"`
}
