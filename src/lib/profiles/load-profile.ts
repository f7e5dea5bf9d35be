import {readdir, stat} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {readYamlFile} from '../config/index.js'
import {ConfigurationError, packageRoot, ValidationError} from '../foundation/index.js'
import {normaliseProfile} from './normalise.js'
import type {Profile} from './profile.js'
import {checkProfile, type Finding, type RuleContext} from './rules.js'

/** Where kvctl's own profiles lie. */
export const shippedProfilesFolder = join(packageRoot, 'profiles')
const SEED_FOLDER = /^(?:\.\/)?runners\/profiles\//
const NAME = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/

export interface InspectedProfile {
  readonly profile: Profile
  readonly path: string
  /** Keys that mean nothing here, as `file:line: …`. */
  readonly unknownKeys: readonly string[]
  /** What the rules say, warnings first. */
  readonly findings: readonly Finding[]
}

/**
 * Reads a profile by file path, by shipped name (`standard`, `quantization/autoawq`), or by the path it has upstream
 * (`runners/profiles/standard.yaml`), which means the shipped one where there is no such file.
 *
 * @throws ConfigurationError `PROFILE_NOT_FOUND`, `PROFILE_INVALID`, `YAML_INVALID`
 */
export async function inspectProfile(nameOrPath: string, context?: RuleContext): Promise<InspectedProfile> {
  const path = await findProfile(nameOrPath)
  const {profile, warnings} = normaliseProfile(await readYamlFile(path))
  return {profile, path, unknownKeys: warnings, findings: checkProfile(profile, context)}
}

export interface LoadedProfile {
  readonly profile: Profile
  readonly path: string
  /** One line each, for stderr. */
  readonly warnings: readonly string[]
}

/**
 * A profile that may be run.
 *
 * @throws as `inspectProfile`, and ValidationError `PROFILE_RULE` when it breaks a rule
 */
export async function loadProfile(nameOrPath: string, context?: RuleContext): Promise<LoadedProfile> {
  const inspected = await inspectProfile(nameOrPath, context)
  requireSound(inspected)
  const {profile, path, unknownKeys, findings} = inspected
  return {profile, path, warnings: [...unknownKeys, ...findings.map(({message}) => `${path}: ${message}`)]}
}

/** @throws ValidationError `PROFILE_RULE` with every rule that a profile breaks, one a line */
export function requireSound({path, findings}: InspectedProfile): void {
  const broken = findings.filter(({level}) => level === 'error')
  if (broken.length === 0) return
  throw new ValidationError('PROFILE_RULE', broken.map(({message}) => `${path}: ${message}`).join('\n'))
}

/** @throws ConfigurationError `PROFILE_NOT_FOUND` */
export async function findProfile(nameOrPath: string): Promise<string> {
  if (await isFile(nameOrPath)) return nameOrPath
  const name = nameOrPath.replace(SEED_FOLDER, '').replace(/\.ya?ml$/, '')
  const shipped = join(shippedProfilesFolder, `${name}.yaml`)
  if (NAME.test(name) && (await isFile(shipped))) return shipped
  throw new ConfigurationError('PROFILE_NOT_FOUND', `there is no profile ${nameOrPath}`, {
    suggestions: [`one of ${(await shippedProfiles()).join(', ')}, or the path of a YAML file`],
  })
}

/** Names of the profiles that come with kvctl, sorted. */
export async function shippedProfiles(): Promise<string[]> {
  const entries = await readdir(shippedProfilesFolder, {recursive: true, withFileTypes: true})
  return entries
    .filter(entry => entry.isFile() && entry.name.endsWith('.yaml'))
    .map(entry => relative(shippedProfilesFolder, join(entry.parentPath, entry.name)).replace(/\.yaml$/, ''))
    .sort()
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isFile(),
    () => false,
  )
}
