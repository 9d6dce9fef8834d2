/** Server parameters: getParameter and setParameter. */
import type { Value } from '../../models/document/bson/types.js';
import { Double } from '../../models/document/bson/types.js';
import { plainDocument } from '../../models/document/plain.js';
import { numberOf } from '../../models/document/scalars.js';
import { failed } from './errors.js';

interface Parameter {
  value: Value;
  readonly runtime: boolean;
}

export class Parameters {
  private readonly parameters = new Map<string, Parameter>([
    ['featureCompatibilityVersion', { value: plainDocument({ version: '7.0' }), runtime: false }],
    ['authenticationMechanisms', { value: ['SCRAM-SHA-1', 'SCRAM-SHA-256'], runtime: false }],
    ['authSchemaVersion', { value: 5, runtime: false }],
    ['enableTestCommands', { value: false, runtime: false }],
    ['requireApiVersion', { value: false, runtime: true }],
    ['cursorTimeoutMillis', { value: 600_000n, runtime: true }],
    ['ttlMonitorEnabled', { value: true, runtime: true }],
    ['ttlMonitorSleepSecs', { value: 60, runtime: true }],
    ['transactionLifetimeLimitSeconds', { value: 60, runtime: true }],
    ['localLogicalSessionTimeoutMinutes', { value: 30, runtime: false }],
    ['logLevel', { value: 0, runtime: true }],
    ['logComponentVerbosity', { value: plainDocument({ verbosity: 0 }), runtime: true }],
    ['notablescan', { value: false, runtime: true }],
    ['quiet', { value: false, runtime: true }],
    ['maxTransactionLockRequestTimeoutMillis', { value: 5, runtime: true }],
    ['internalQueryMaxBlockingSortMemoryUsageBytes', { value: 104_857_600n, runtime: true }],
    ['allowDiskUseByDefault', { value: true, runtime: true }],
    ['clusterAuthMode', { value: 'undefined', runtime: false }],
    ['scramIterationCount', { value: 10_000, runtime: true }],
    ['scramSHA256IterationCount', { value: 15_000, runtime: true }],
    ['minSnapshotHistoryWindowInSeconds', { value: 300, runtime: true }],
    ['journalCommitInterval', { value: 100, runtime: true }],
    ['syncdelay', { value: new Double(60), runtime: true }],
    ['tcpFastOpenServer', { value: true, runtime: false }],
    ['replWriterThreadCount', { value: 16, runtime: false }],
  ]);

  names(): string[] {
    return [...this.parameters.keys()].sort();
  }

  get(name: string): Value | undefined {
    return this.parameters.get(name)?.value;
  }

  settable(name: string): boolean {
    return this.parameters.get(name)?.runtime === true;
  }

  number(name: string): number {
    return numberOf(this.get(name)) ?? 0;
  }

  truth(name: string): boolean {
    const value = this.get(name);
    return value === true || (numberOf(value) ?? 0) !== 0;
  }

  /** Sets a parameter at run time and answers what it was. Throws code 72 and 20 as MongoDB. */
  set(name: string, value: Value): Value {
    const parameter = this.parameters.get(name);
    if (parameter === undefined)
      throw failed(72, `attempted to set unrecognized parameter [${name}], use help:true to see options `);
    if (!parameter.runtime) throw failed(20, `not allowed to change [${name}] at runtime`);
    const was = parameter.value;
    const number = numberOf(value);
    parameter.value =
      typeof was === 'bigint' && number !== undefined
        ? BigInt(Math.trunc(number))
        : typeof was === 'boolean' && number !== undefined
          ? number !== 0
          : value;
    return was;
  }
}
