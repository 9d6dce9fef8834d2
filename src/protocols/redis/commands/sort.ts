/** SORT and SORT_RO: elements of a list, set or sorted set, ordered by themselves or by keys they name. */
import { EventClass } from '../../../models/key-value/changes.js';
import { KeyValueError } from '../../../models/key-value/errors.js';
import { getField } from '../../../models/key-value/hashes.js';
import { listElements, storeList } from '../../../models/key-value/lists.js';
import { ValueType } from '../../../models/key-value/record.js';
import { setMembers } from '../../../models/key-value/sets.js';
import { zsetRange } from '../../../models/key-value/zsets.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseScore } from '../numbers.js';

interface SortOptions {
  by: string | undefined;
  readonly get: string[];
  descending: boolean;
  alpha: boolean;
  offset: number;
  count: number;
  store: string | undefined;
}

function parse(c: CommandContext, readOnly: boolean): SortOptions {
  const { request } = c;
  const options: SortOptions = {
    by: undefined,
    get: [],
    descending: false,
    alpha: false,
    offset: 0,
    count: -1,
    store: undefined,
  };
  for (let i = 2; i < request.count; i++) {
    const left = request.count - 1 - i;
    const option = request.lower(i);
    if (option === 'asc') options.descending = false;
    else if (option === 'desc') options.descending = true;
    else if (option === 'alpha') options.alpha = true;
    else if (option === 'limit' && left >= 2) {
      options.offset = request.integer(i + 1);
      options.count = request.integer(i + 2);
      i += 2;
    } else if (option === 'store' && left >= 1 && !readOnly) options.store = request.text(++i);
    else if (option === 'by' && left >= 1) options.by = request.text(++i);
    else if (option === 'get' && left >= 1) options.get.push(request.text(++i));
    else throw syntaxError();
  }
  return options;
}

/** The value that a pattern names for an element: `#`, `w_*`, `w_*->field`. */
function lookUp(c: CommandContext, pattern: string, element: string): string | undefined {
  if (pattern === '#') return element;
  const star = pattern.indexOf('*');
  if (star < 0) return undefined;
  const arrow = pattern.indexOf('->', star);
  const isField = arrow >= 0 && arrow + 2 < pattern.length;
  const keyPattern = isField ? pattern.slice(0, arrow) : pattern;
  const key = keyPattern.slice(0, star) + element + keyPattern.slice(star + 1);
  const record = c.db.find(key);
  if (record === undefined) return undefined;
  if (isField) return record.type === ValueType.hash ? getField(c.db, record, pattern.slice(arrow + 2)) : undefined;
  return record.type === ValueType.string ? record.payload().latin1Slice() : undefined;
}

function elementsOf(c: CommandContext, key: string, options: SortOptions): string[] {
  const record = c.db.find(key);
  if (record === undefined) return [];
  switch (record.type) {
    case ValueType.list:
      return listElements(c.db, record);
    case ValueType.set:
      return setMembers(c.db, record);
    case ValueType.zset:
      return zsetRange(
        c.db,
        record,
        0,
        -1,
        options.by !== undefined && !options.by.includes('*') && options.descending,
      ).map(({ member }) => member);
    default:
      throw new KeyValueError('wrong-type');
  }
}

function sort(readOnly: boolean) {
  return (c: CommandContext): void => {
    const options = parse(c, readOnly);
    const key = c.request.text(1);
    let elements = elementsOf(c, key, options);
    const unsorted = options.by !== undefined && !options.by.includes('*');
    if (!unsorted) elements = order(c, elements, options);
    const start = Math.max(0, options.offset);
    const end = options.count < 0 ? elements.length : start + options.count;
    const chosen = elements.slice(start, end);
    const output: (string | undefined)[] =
      options.get.length === 0
        ? chosen
        : chosen.flatMap((element) => options.get.map((pattern) => lookUp(c, pattern, element)));
    if (options.store === undefined) {
      c.reply.array(output.length);
      for (const value of output) {
        if (value === undefined) c.reply.null();
        else c.reply.bulkText(value);
      }
      return;
    }
    const old = c.db.find(options.store);
    if (output.length === 0) {
      if (old !== undefined) {
        c.db.remove(old);
        c.db.changed(options.store, EventClass.generic, 'del');
      }
    } else {
      storeList(
        c.db,
        options.store,
        old,
        output.map((value) => value ?? ''),
      );
      c.db.changed(options.store, EventClass.list, 'sortstore');
    }
    c.reply.integer(output.length);
  };
}

function order(c: CommandContext, elements: readonly string[], options: SortOptions): string[] {
  const { by, alpha, descending } = options;
  const weighted = elements.map((element) => {
    const weight = by === undefined ? element : lookUp(c, by, element);
    let number = 0;
    if (!alpha && weight !== undefined) {
      const parsed = parseScore(weight);
      if (parsed === undefined) throw new RedisError("ERR One or more scores can't be converted into double");
      number = parsed;
    }
    return { element, weight, number };
  });
  const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  weighted.sort((a, b) => {
    let result: number;
    if (!alpha) {
      result = a.number - b.number;
      if (Number.isNaN(result)) result = a.number === b.number ? 0 : a.number < b.number ? -1 : 1;
    } else if (a.weight === undefined || b.weight === undefined) {
      result = a.weight === b.weight ? 0 : a.weight === undefined ? -1 : 1;
    } else result = compareTexts(a.weight, b.weight);
    if (result === 0) result = compareTexts(a.element, b.element);
    return descending ? -result : result;
  });
  return weighted.map(({ element }) => element);
}

export const sortCommands: Commands = { sort: sort(false), sort_ro: sort(true) };
