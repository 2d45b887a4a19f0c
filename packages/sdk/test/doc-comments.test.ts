import { join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

/** What packages import, and how deep its comments have to go: `exports`, or also the members of what is exported. */
const entries = {
  'index.ts': 'members',
  'crawlee/index.ts': 'members',
  'proxy-server/index.ts': 'members',
  'contract/index.ts': 'exports',
  'gateway/index.ts': 'exports',
  'tunnel/index.ts': 'exports',
} as const

const { config } = ts.readConfigFile(join(root, '../../tsconfig.json'), ts.sys.readFile) as { config: unknown }
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(root, '../..'))
const program = ts.createProgram(
  Object.keys(entries).map((entry) => join(root, 'src', entry)),
  { ...options, noEmit: true },
)
const checker = program.getTypeChecker()

const isCommented = (symbol: ts.Symbol): boolean => ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() !== ''

/** `type X = z.infer<typeof x>`: what `x` says. */
function schemaOf(symbol: ts.Symbol): ts.Symbol | undefined {
  const [declaration] = symbol.declarations ?? []
  if (declaration === undefined || !ts.isTypeAliasDeclaration(declaration) || !ts.isTypeReferenceNode(declaration.type)) return undefined
  const [argument] = declaration.type.typeArguments ?? []
  if (argument === undefined || !ts.isTypeQueryNode(argument)) return undefined
  return checker.getSymbolAtLocation(argument.exprName)
}

/** Members that the type itself declares and that its users see. */
function membersOf(symbol: ts.Symbol): ts.Symbol[] {
  const types = (symbol.declarations ?? []).filter((node) => ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node))
  return types
    .flatMap(({ members }): (ts.TypeElement | ts.ClassElement)[] => [...members])
    .filter((member) => (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Override)) === 0)
    .flatMap(({ name }) => (name === undefined || ts.isPrivateIdentifier(name) ? [] : (checker.getSymbolAtLocation(name) ?? [])))
    .filter((member) => !member.name.startsWith('__@'))
}

function placeOf(symbol: ts.Symbol): string {
  const [declaration] = symbol.declarations ?? []
  if (declaration === undefined) return symbol.name
  const file = declaration.getSourceFile()
  return `${relative(root, file.fileName)}:${file.getLineAndCharacterOfPosition(declaration.getStart()).line + 1} ${symbol.name}`
}

describe.each(Object.entries(entries))('what src/%s exports', (entry, depth) => {
  const file = program.getSourceFile(join(root, 'src', entry))
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`src/${entry} exports nothing`)
  const exported = checker
    .getExportsOfModule(module)
    .map((symbol) => ((symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)))

  test(`says what it promises (${depth})`, () => {
    expect(exported.length).toBeGreaterThan(1)
    const asked = depth === 'members' ? exported.flatMap((symbol) => [symbol, ...membersOf(symbol)]) : exported
    const silent = asked.filter((symbol) => !isCommented(symbol) && !isCommented(schemaOf(symbol) ?? symbol))
    expect(silent.map(placeOf)).toEqual([])
  })
})
