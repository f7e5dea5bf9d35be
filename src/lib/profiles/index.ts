export {gib, kvNeed, type KnownModel, type KvNeed} from './kv-need.js'
export {PATTERNS, profileSchema, type Profile} from './profile.js'
export {ownEngineArgs} from './own-engine-args.js'
export {normaliseProfile, type NormalisedProfile} from './normalise.js'
export {checkProfile, type Finding, type RuleContext} from './rules.js'
export {
  findProfile,
  inspectProfile,
  loadProfile,
  requireSound,
  shippedProfiles,
  shippedProfilesFolder,
  type InspectedProfile,
  type LoadedProfile,
} from './load-profile.js'
