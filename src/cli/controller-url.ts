/** Where a controller answers unless told otherwise: kvctl serve. */
export const DEFAULT_CONTROLLER_URL = 'http://127.0.0.1:6767'
