/** What `import … from 'rosetta'` gives. */
export type { Address } from './server/address.js';
export { ConfigurationError } from './server/configuration-sources.js';
export { StartError } from './server/listeners.js';
export type { ServedListener, Server } from './server/server.js';
export { type StartOptions, start } from './server/start.js';
export { version } from './server/version.js';
