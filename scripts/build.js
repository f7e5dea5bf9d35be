// Builds dist/ from scratch (an old dist/ would keep deleted commands alive) and writes the oclif manifest.
import {execFileSync} from 'node:child_process'
import {rmSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {Plugin} from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(`${root}/dist`, {recursive: true, force: true})
rmSync(`${root}/oclif.manifest.json`, {force: true})
execFileSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', root], {stdio: 'inherit'})

const plugin = new Plugin({root, type: 'core', ignoreManifest: true, errorOnManifestCreate: true})
await plugin.load()
writeFileSync(`${root}/oclif.manifest.json`, JSON.stringify(plugin.manifest, null, 2) + '\n')
