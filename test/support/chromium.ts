import {chromium, type Browser} from 'playwright-core'
import {findProgram} from './requires.js'

/** The programs one of which `describeWith` must find before `launchChromium` can work. */
export const CHROMIUM = 'chromium|chromium-browser|google-chrome'

/** A headless browser of the system that calls nobody on its own. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findProgram(...CHROMIUM.split('|'))!,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  })
}
