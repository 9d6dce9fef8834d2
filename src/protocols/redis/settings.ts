/** The settings that CONFIG GET and SET know, as the server uses them. */
import type { RedisOptions } from './server.js';

export class Settings {
  requirepass: string;
  protoMaxBulkLen = 512 * 1024 * 1024;
  clientQueryBufferLimit = 1024 * 1024 * 1024;
  durability: 'always' | 'everysec';

  constructor(options: RedisOptions) {
    this.requirepass = options.password ?? '';
    this.durability = options.durability ?? 'everysec';
  }
}
