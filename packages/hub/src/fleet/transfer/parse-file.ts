import type { ImportFormat } from '@mobilepool/sdk/contract'
import { parseCsv } from './parse-csv.ts'
import { parseJson } from './parse-json.ts'
import { parseList } from './parse-list.ts'
import { parseScrapoxy } from './parse-scrapoxy.ts'
import type { ParsedFile } from './parsed-line.ts'

/** Takes an import apart; what cannot be read is among its errors. */
export function parseFile(format: ImportFormat, content: string, namePrefix: string): ParsedFile {
  switch (format) {
    case 'csv':
      return parseCsv(content)
    case 'json':
      return parseJson(content)
    case 'list':
      return parseList(content, namePrefix)
    case 'scrapoxy':
      return parseScrapoxy(content, namePrefix)
  }
}
