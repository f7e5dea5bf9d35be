import {Document} from 'yaml'

/** Values as YAML documents, apart by `---`, that read back as the same values. Long lines stay whole. */
export function yamlText(values: readonly unknown[]): string {
  return values
    .map(value => new Document(value, {aliasDuplicateObjects: false}).toString({lineWidth: 0}))
    .join('---\n')
}
