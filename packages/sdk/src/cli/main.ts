import { Command, CommanderError } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { checkCommand } from './check/check-command.ts'
import { echoCommand } from './echo/echo-command.ts'
import { fetchCommand } from './fetch/fetch-command.ts'
import { EXIT, UsageError } from './usage.ts'

/** The command `mobilepool`. Expected failures are one sentence on standard error, the others a bug report with its stack. */
const program = new Command('mobilepool')
  .description('Looks at proxies and sends requests through your own 4G/5G devices.')
  .version(manifest.version)
  .configureHelp({ showGlobalOptions: true })

for (const command of [checkCommand(), fetchCommand(), echoCommand()]) program.addCommand(command)
for (const command of [program, ...program.commands]) {
  command
    .exitOverride()
    .showHelpAfterError(`(mobilepool ${command === program ? '' : `${command.name()} `}--help tells more)`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'mobilepool: ')) })
}

// `mobilepool fetch ... | head` ends us early, and rightly so.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT.fine)
})

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.fine : EXIT.usage
  } else if (error instanceof UsageError) {
    process.stderr.write(`mobilepool: ${error.message}\n`)
    process.exitCode = EXIT.usage
  } else {
    process.stderr.write(`mobilepool: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exitCode = EXIT.notFine
  }
})
