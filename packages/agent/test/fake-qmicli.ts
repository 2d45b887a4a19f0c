import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A modem behind a program in the place of qmicli: a script that prints what libqmi 1.32 prints (its forms are in the program's own strings)
 * and keeps the modem's state in files.
 */
export class FakeQmicli {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'mp-qmi-'))
  readonly program: string = join(this.folder, 'qmicli')

  constructor() {
    this.set('mode', 'online')
    this.set('connected', 'disconnected')
    this.set('registration', 'registered')
    this.set('card', 'present')
    this.set('app', 'ready')
    writeFileSync(this.program, script(this.folder), { mode: 0o755 })
  }

  set(name: 'mode' | 'connected' | 'registration' | 'card' | 'app' | 'refuses' | 'stuck', value: string): void {
    writeFileSync(join(this.folder, name), value)
  }

  get(name: 'mode' | 'connected'): string {
    return readFileSync(join(this.folder, name), 'utf8').trim()
  }

  /** What it was asked to do, without questions. */
  get done(): string[] {
    const lines = readFileSync(join(this.folder, 'log'), 'utf8').trim().split('\n')
    return lines.filter((line) => /start|stop|set-operating/.test(line))
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const script = (folder: string): string => `#!/bin/sh
cd ${folder}
dev=$2; shift 3
echo "$*" >> log
if [ -e gone ]; then
  rm gone; echo "error: couldn't open the QmiDevice: endpoint hangup" >&2; exit 1
fi
fail() { echo "error: $1: QMI protocol error ($2): '$3'" >&2; [ -z "$4" ] || printf '%s\\n' "call end reason (3): generic-no-service" "verbose call end reason (6,33): [3gpp] $4" >&2; exit 1; }
case "$1" in
  --dms-get-operating-mode) printf "[%s] Operating mode retrieved:\\n\\tMode: '%s'\\n\\tHW restricted: 'no'\\n" $dev "$(cat mode)";;
  --dms-set-operating-mode=reset) [ "$(cat mode)" = offline ] || fail "couldn't set operating mode" 60 InvalidTransition
    echo online > mode; echo disconnected > connected; : > gone;;
  --dms-set-operating-mode=*) [ -e stuck ] || { echo "\${1#*=}" > mode; echo disconnected > connected; }
    echo "[$dev] Operating mode set successfully";;
  --uim-get-card-status) printf "[%s] Successfully got card status\\nSlot [1]:\\n\\tCard state: '%s'\\n" $dev "$(cat card)"
    [ "$(cat card)" = present ] && printf "\\tUPIN state: 'not-initialized'\\n\\tApplication [1]:\\n\\t\\tApplication type:  'usim (2)'\\n\\t\\tApplication state: '%s'\\n" "$(cat app)"; :;;
  --nas-get-serving-system) r=$(cat registration); [ "$(cat mode)" = online ] || r=not-registered
    printf "[%s] Successfully got serving system:\\n\\tRegistration state: '%s'\\n\\tCS: 'attached'\\n\\tPS: 'attached'\\n\\tSelected network: '3gpp'\\n\\tRadio interfaces: '1'\\n\\t\\t[0]: 'lte'\\n\\tRoaming status: 'off'\\n\\tData service capabilities: '1'\\n\\t\\t[0]: '5gnr'\\n\\tCurrent PLMN:\\n\\t\\tMCC: '1'\\n\\t\\tMNC: '1'\\n\\t\\tDescription: 'TestNet'\\n" $dev "$r";;
  --nas-get-signal-info) printf "[%s] Successfully got signal info\\nLTE:\\n\\tRSSI: '-63 dBm'\\n\\tRSRQ: '-8 dB'\\n\\tRSRP: '-95 dBm'\\n\\tSNR: '17.0 dB'\\n" $dev;;
  --wds-get-packet-service-status) printf "[%s] Connection status: '%s'\\n" $dev "$(cat connected)";;
  --wds-start-network=*) [ -e refuses ] && fail "couldn't start network" 14 CallFailed "$(cat refuses)"
    echo connected > connected
    printf "[%s] Network started\\n\\tPacket data handle: '41221944'\\n[%s] Client ID not released:\\n\\tService: 'wds'\\n\\t    CID: '4'\\n" $dev $dev;;
  --wds-stop-network=41221944) [ "$2" = --client-cid=4 ] || fail "couldn't stop network" 51 InvalidHandle
    echo disconnected > connected; echo "[$dev] Network stopped";;
  --wds-get-current-settings) printf "[%s] Current settings retrieved:\\n           IP Family: IPv4\\n        IPv4 address: 10.64.12.34\\n    IPv4 subnet mask: 255.255.255.252\\nIPv4 gateway address: 10.64.12.33\\n    IPv4 primary DNS: 10.1.1.1\\n  IPv4 secondary DNS: 10.1.1.2\\n                 MTU: 1500\\n             Domains: none\\n" $dev;;
  *) echo "error: too few arguments" >&2; exit 1;;
esac
`
