/**
 * The only file that builds real parts: one async function a part, each loading what it needs on first call, so that
 * `kvctl list` never pays for the engine and nothing pays for koffi at import.
 */
export {}
