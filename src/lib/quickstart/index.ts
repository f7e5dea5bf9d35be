export {QUICKSTART_PROFILE, quickstartPlan} from './quickstart-plan.js'
export {pressureLimit} from './pressure-limit.js'
export {
  hasObeyed,
  runQuickstart,
  type LimitStory,
  type QuickstartOutcome,
  type QuickstartParts,
  type QuickstartWatcher,
} from './run-quickstart.js'
export {quickstartJson, type QuickstartJson} from './json.js'
