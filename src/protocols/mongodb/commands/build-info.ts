import { plainDocument } from '../../../models/document/plain.js';
import { defineCommand } from '../command.js';
import { MONGODB_VERSION, VERSION_ARRAY } from '../server-state.js';

export const buildInfo = defineCommand({
  name: 'buildInfo',
  aliases: ['buildinfo'],
  help: 'the version and how it was built',
  subject: 'any',
  fields: {},
  lenient: true,
  beforeLogin: true,
  run: () =>
    plainDocument({
      version: MONGODB_VERSION,
      gitVersion: '0000000000000000000000000000000000000000',
      modules: [],
      allocator: 'system',
      javascriptEngine: 'quickjs',
      sysInfo: 'deprecated',
      versionArray: [...VERSION_ARRAY],
      openssl: { running: `OpenSSL ${process.versions.openssl}`, compiled: `OpenSSL ${process.versions.openssl}` },
      buildEnvironment: {
        distmod: '',
        distarch: process.arch === 'x64' ? 'x86_64' : 'aarch64',
        cc: '',
        ccflags: '',
        cxx: '',
        cxxflags: '',
        linkflags: '',
        target_arch: process.arch === 'x64' ? 'x86_64' : 'aarch64',
        target_os: process.platform,
        cppdefines: '',
      },
      bits: 64,
      debug: false,
      maxBsonObjectSize: 16_777_216,
      storageEngines: ['rosetta'],
    }),
});
