/** A network's code where the device says it in one piece, e.g. `25001`; nothing for what is none. */
export const mccMncOf = (code: string | null | undefined): { mccMnc?: string } => (code && /^\d{5,6}$/.test(code) ? { mccMnc: code } : {})

/** The same of its two parts. A network code of one digit has lost its zero: there are none. */
export const mccMncOfParts = (mcc: string | null | undefined, mnc: string | null | undefined): { mccMnc?: string } =>
  mcc && mnc && /^\d{1,3}$/.test(mcc) && /^\d{1,3}$/.test(mnc) ? { mccMnc: mcc.padStart(3, '0') + mnc.padStart(2, '0') } : {}
