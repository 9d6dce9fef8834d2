/** Which words of a request are keys, and what the command does with them: from the key specifications of its facts. */
import type { Command, KeySpec } from './command.js';
import { parseIntegerText } from './numbers.js';
import type { Request } from './request.js';

export interface KeyUse {
  /** Which word. */
  readonly index: number;
  /** RO, RW, OW or RM, then access, update, insert, delete …, as COMMAND GETKEYSANDFLAGS tells. */
  readonly flags: readonly string[];
}

/** The keys of a request; `undefined` when its words do not fit the specification (a wrong number of keys). */
export function keysOf(command: Command, request: Request): readonly KeyUse[] | undefined {
  if (command.name === 'sort' || command.name === 'sort_ro') return sortKeys(command, request);
  if (command.name === 'migrate') return migrateKeys(command, request);
  const uses: KeyUse[] = [];
  for (const spec of command.facts.keySpecs) {
    const begin = beginning(spec, request);
    if (begin === undefined) continue;
    if (!collect(spec, begin, request, uses)) return undefined;
  }
  return uses;
}

function numberIn(spec: Readonly<Record<string, unknown>>, name: string): number {
  const value = spec[name];
  return typeof value === 'number' ? value : 0;
}

function beginning(spec: KeySpec, request: Request): number | undefined {
  const { type, spec: where } = spec.begin_search;
  if (type === 'index') {
    const index = numberIn(where, 'index');
    return index < request.count ? index : undefined;
  }
  if (type !== 'keyword') return undefined;
  const keyword = String(where.keyword).toLowerCase();
  const from = numberIn(where, 'startfrom');
  const start = from >= 0 ? from : request.count + from;
  const step = from >= 0 ? 1 : -1;
  for (let i = start; i > 0 && i < request.count; i += step) if (request.is(i, keyword)) return i + 1;
  return undefined;
}

function collect(spec: KeySpec, begin: number, request: Request, uses: KeyUse[]): boolean {
  const { type, spec: which } = spec.find_keys;
  const step = Math.max(1, numberIn(which, 'keystep'));
  let last: number;
  let first = begin;
  if (type === 'keynum') {
    const at = begin + numberIn(which, 'keynumidx');
    const count = at < request.count ? parseIntegerText(request.text(at)) : undefined;
    if (typeof count !== 'number' || count < 0) return false;
    first = begin + numberIn(which, 'firstkey');
    last = first + (count - 1) * step;
  } else {
    const lastKey = numberIn(which, 'lastkey');
    const limit = numberIn(which, 'limit');
    if (lastKey >= 0) last = begin + lastKey;
    else if (limit <= 1) last = request.count + lastKey;
    else last = begin + Math.floor((request.count - begin) / limit) + lastKey;
  }
  if (last >= request.count) return false;
  for (let i = first; i <= last; i += step) uses.push({ index: i, flags: spec.flags });
  return true;
}

function sortKeys(command: Command, request: Request): readonly KeyUse[] {
  const uses: KeyUse[] = [{ index: 1, flags: ['RO', 'access'] }];
  if (command.name === 'sort_ro') return uses;
  let store: KeyUse | undefined;
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, 'limit')) i += 2;
    else if (request.is(i, 'get') || request.is(i, 'by')) i += 1;
    else if (request.is(i, 'store') && i + 1 < request.count) store = { index: ++i, flags: ['OW', 'update'] };
  }
  if (store !== undefined) uses.push(store);
  return uses;
}

function migrateKeys(command: Command, request: Request): readonly KeyUse[] {
  const flags = command.facts.keySpecs[0]?.flags ?? ['RW', 'access', 'delete'];
  if (request.length(3) > 0) return [{ index: 3, flags }];
  for (let i = 6; i < request.count; i++) {
    if (request.is(i, 'keys'))
      return Array.from({ length: request.count - i - 1 }, (_, k) => ({ index: i + 1 + k, flags }));
    if (request.is(i, 'auth')) i += 1;
    else if (request.is(i, 'auth2')) i += 2;
  }
  return [];
}
