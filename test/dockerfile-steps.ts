/** Carries out what a Dockerfile says, without Docker: each stage in a folder of its own, with this Node as the base image. */
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Copy, DockerfileParser, type Instruction, JSONInstruction } from 'dockerfile-ast'

const run = promisify(execFile)
const nodeFolder = dirname(process.execPath)

/** What became of a stage. */
export interface Stage {
  /** Stands for `/` of the image. */
  readonly root: string
  readonly env: Readonly<Record<string, string>>
  /** As the image would start it; absolute paths are below `root`. */
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
  /** Debian packages that it installs. */
  readonly packages: readonly string[]
}

interface Building {
  root: string
  from: string
  workdir: string
  env: Record<string, string>
  entrypoint: string[]
  cmd: string[]
  healthcheck: string[]
  packages: string[]
}

/**
 * Builds every stage below `folder`. RUN steps run in their WORKDIR and may name files relatively only; those with apt-get are asked of
 * Debian's packages instead of being run. Throws on an instruction that it does not know, and when a step fails.
 */
export async function buildStages(dockerfile: string, context: string, folder: string): Promise<ReadonlyMap<string, Stage>> {
  const stages = new Map<string, Building>()
  let stage: Building | null = null
  for (const instruction of DockerfileParser.parse(await readFile(dockerfile, 'utf8')).getInstructions()) {
    if (instruction.getKeyword() === 'FROM') {
      const [image = '', , name = ''] = instruction.getArguments().map((argument) => argument.getValue())
      const root = join(folder, name)
      await mkdir(root, { recursive: true })
      stage = { root, from: image, workdir: '/', env: {}, entrypoint: [], cmd: [], healthcheck: [], packages: [] }
      stages.set(name, stage)
    } else if (stage) await carryOut(instruction, stage, context, stages)
  }
  return new Map(
    [...stages].map(([name, { root, env, entrypoint, cmd, healthcheck, packages }]) => {
      const command = [...entrypoint, ...cmd].map((word) => (word.startsWith('/') ? join(root, word) : word))
      return [name, { root, env, command, healthcheck, packages }]
    }),
  )
}

async function carryOut(instruction: Instruction, stage: Building, context: string, stages: ReadonlyMap<string, Building>): Promise<void> {
  const text = instruction.getArgumentsContent() ?? ''
  const words = (): string[] =>
    instruction instanceof JSONInstruction ? instruction.getJSONStrings().map((one) => JSON.parse(one.getValue()) as string) : []
  switch (instruction.getKeyword()) {
    case 'WORKDIR':
      stage.workdir = text
      return void (await mkdir(join(stage.root, text), { recursive: true }))
    case 'ENV': {
      const [name = '', value = ''] = text.split('=')
      stage.env[name] = value
      return
    }
    case 'COPY': {
      const from = instruction instanceof Copy ? instruction.getFromFlag()?.getValue() : undefined
      const other = from === undefined || from === null ? context : stages.get(from)?.root
      if (other === undefined) throw new Error(`COPY --from=${from}: there is no such stage`)
      return copy(
        instruction.getArguments().map((argument) => argument.getValue()),
        other,
        resolve(stage.root, `.${stage.workdir}`),
        stage.root,
      )
    }
    case 'RUN':
      if (text.includes('apt-get')) {
        stage.packages =
          (/apt-get install (.*)/.exec(text)?.[1] ?? '')
            .split(/\s*&&/)[0]
            ?.split(/\s+/)
            .filter((word) => !word.startsWith('-')) ?? []
        return
      }
      return void (await run('sh', ['-ec', text], { cwd: join(stage.root, stage.workdir), env: imageEnvironment(stage), maxBuffer: 1e8 }))
    case 'ENTRYPOINT':
      stage.entrypoint = words()
      return
    case 'CMD':
      stage.cmd = words()
      return
    case 'HEALTHCHECK':
      stage.healthcheck = JSON.parse(/\[.*\]/s.exec(text)?.[0] ?? '[]') as string[]
      return
    case 'USER':
    case 'EXPOSE':
      return
    default:
      throw new Error(`${instruction.getKeyword()}: this test does not know how to carry it out`)
  }
}

/** As COPY does it: a folder's content into the folder named; files into it when it ends with a slash. */
async function copy(paths: string[], source: string, workdir: string, root: string): Promise<void> {
  const last = paths.at(-1) ?? ''
  const target = last.startsWith('/') ? join(root, last) : resolve(workdir, last)
  for (const path of paths.slice(0, -1)) {
    const from = join(source, path)
    const isFolder = (await stat(from)).isDirectory()
    await cp(from, isFolder || !last.endsWith('/') ? target : join(target, basename(path)), { recursive: true, verbatimSymlinks: true })
  }
}

/** What a process of the image finds: nothing of who runs the test, but where npm is told its registry. */
export const imageEnvironment = (stage: { env: Readonly<Record<string, string>>; root: string }): NodeJS.ProcessEnv => {
  const npm = Object.entries(process.env).filter(([name]) => /^npm_config_(registry|userconfig|cache|cafile)$/i.test(name))
  return { ...Object.fromEntries(npm), PATH: `${nodeFolder}:/usr/local/bin:/usr/bin:/bin`, HOME: process.env.HOME, ...stage.env }
}

/** Copies what the build may see of a repository: what git knows, less what `.dockerignore` leaves out. */
export async function copyContext(repository: string, target: string): Promise<void> {
  const { stdout } = await run('git', ['-C', repository, 'ls-files', '--cached', '--others', '--exclude-standard'], { maxBuffer: 1e8 })
  const rules = (await readFile(join(repository, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  for (const path of stdout
    .trim()
    .split('\n')
    .filter((file) => !isIgnored(file, rules))) {
    await mkdir(dirname(join(target, path)), { recursive: true })
    await cp(join(repository, path), join(target, path)).catch((error: NodeJS.ErrnoException) => {
      // Removed, but not committed yet.
      if (error.code !== 'ENOENT') throw error
    })
  }
  if ((await readdir(target)).length === 0) throw new Error('.dockerignore leaves nothing')
}

/** The last rule that fits decides; a rule for a folder is one for what is in it. */
function isIgnored(path: string, rules: readonly string[]): boolean {
  let isOut = false
  for (const rule of rules) {
    const pattern = rule.replace(/^!/, '')
    const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(?:.*/)?'))
    if (new RegExp(`^${source}(?:/.*)?$`).test(path)) isOut = !rule.startsWith('!')
  }
  return isOut
}
