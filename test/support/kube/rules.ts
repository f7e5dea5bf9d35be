import {parseAllDocuments} from 'yaml'
import {readRepositoryFile} from '../cli.js'

interface Role {
  readonly rules?: readonly {readonly resources: readonly string[]; readonly verbs: readonly string[]}[]
}

/** `verb resource` of everything that the roles of a file allow. */
export function rulesOf(path: string): ReadonlySet<string> {
  const roles = parseAllDocuments(readRepositoryFile(path)).map(document => document.toJS() as Role)
  return new Set(
    roles.flatMap(({rules = []}) =>
      rules.flatMap(({resources, verbs}) => verbs.flatMap(verb => resources.map(one => `${verb} ${one}`))),
    ),
  )
}
