export {PATTERNS, profileSchema, type Profile} from './profile.js'
export {normaliseProfile, type NormalisedProfile} from './normalise.js'
export {checkProfile, type Finding, type RuleContext} from './rules.js'
export {
  findProfile,
  loadProfile,
  shippedProfiles,
  shippedProfilesFolder,
  type LoadedProfile,
} from './load-profile.js'
