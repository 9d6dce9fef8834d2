/** Fail points: errors and delays on demand, for tests of drivers (`configureFailPoint`, only with enableTestCommands). */
import { Doc } from '../../models/document/bson/document.js';
import { isArrayValue } from '../../models/document/bson/types.js';
import { numberOf, truthOf } from '../../models/document/scalars.js';

interface FailCommand {
  readonly data: Doc;
  skip: number;
  times: number;
}

export class FailPoints {
  private failCommand: FailCommand | undefined;

  /** `mode`: "alwaysOn", "off", {times} or {skip}. */
  configure(name: string, mode: unknown, data: Doc): void {
    if (name !== 'failCommand') return;
    if (mode === 'off') {
      this.failCommand = undefined;
      return;
    }
    const document = mode instanceof Doc ? mode : new Doc();
    this.failCommand = {
      data,
      skip: numberOf(document.get('skip')) ?? 0,
      times: numberOf(document.get('times')) ?? Number.POSITIVE_INFINITY,
    };
  }

  /** What is to happen to this command, if anything. */
  hit(command: string, appName: string | undefined): Doc | undefined {
    const point = this.failCommand;
    if (point === undefined) return undefined;
    const commands = point.data.get('failCommands');
    if (!isArrayValue(commands) || !commands.includes(command)) return undefined;
    const wanted = point.data.get('appName');
    if (wanted !== undefined && wanted !== appName) return undefined;
    if (point.skip > 0) {
      point.skip--;
      return undefined;
    }
    if (point.times-- <= 0) return undefined;
    return point.data;
  }

  static truth(data: Doc, name: string): boolean {
    return truthOf(data.get(name)) === true;
  }
}
