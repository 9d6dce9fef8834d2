/** PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. */
import { EventClass } from '../../../models/key-value/changes.js';
import {
  addElement,
  cardinality,
  emptyRegisters,
  isHyperLogLog,
  isSparse,
  mergeRegisters,
  type Registers,
  readRegisters,
  writeDense,
  writeRegisters,
} from '../../../models/key-value/hyperloglog.js';
import { type KeyRecord, ValueType } from '../../../models/key-value/record.js';
import { findString } from '../../../models/key-value/strings.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';

interface Loaded {
  readonly record: KeyRecord;
  readonly registers: Registers;
  readonly sparse: boolean;
}

function load(c: CommandContext, key: string): Loaded | undefined {
  const record = findString(c.db, key);
  if (record === undefined) return undefined;
  const payload = record.payload();
  if (!isHyperLogLog(payload)) throw new RedisError('WRONGTYPE Key is not a valid HyperLogLog string value.');
  const registers = readRegisters(payload);
  if (registers === undefined) throw new RedisError('INVALIDOBJ Corrupted HLL object detected');
  return { record, registers, sparse: isSparse(payload) };
}

function store(
  c: CommandContext,
  key: string,
  loaded: Loaded | undefined,
  registers: Registers,
  sparse: boolean,
): void {
  const payload = writeRegisters(registers, sparse, c.server.settings.number('hll-sparse-max-bytes') + 16);
  if (loaded === undefined) c.db.replace(key, c.db.find(key), ValueType.string, payload, { encoding: 1 });
  else c.db.update(loaded.record, payload, 1);
}

function pfadd(c: CommandContext): void {
  const { request } = c;
  const key = request.text(1);
  const loaded = load(c, key);
  const registers = loaded?.registers ?? emptyRegisters();
  let changed = loaded === undefined;
  for (let i = 2; i < request.count; i++) if (addElement(registers, request.view(i))) changed = true;
  if (changed) {
    store(c, key, loaded, registers, loaded?.sparse ?? true);
    c.db.changed(key, EventClass.string, 'pfadd');
  }
  c.reply.integer(changed ? 1 : 0);
}

function pfcount(c: CommandContext): void {
  const union = emptyRegisters();
  let any = false;
  for (const key of c.request.texts(1)) {
    const loaded = load(c, key);
    if (loaded === undefined) continue;
    any = true;
    mergeRegisters(union, loaded.registers);
  }
  c.reply.integer(any ? cardinality(union) : 0);
}

function pfmerge(c: CommandContext): void {
  const union = emptyRegisters();
  let sparse = true;
  const keys = c.request.texts(1);
  for (const key of keys) {
    const loaded = load(c, key);
    if (loaded === undefined) continue;
    if (!loaded.sparse) sparse = false;
    mergeRegisters(union, loaded.registers);
  }
  const target = keys[0] ?? '';
  store(c, target, load(c, target), union, sparse);
  c.db.changed(target, EventClass.string, 'pfadd');
  c.reply.ok();
}

function pfdebug(c: CommandContext): void {
  const { request, reply } = c;
  const key = request.text(2);
  const loaded = load(c, key);
  if (loaded === undefined) throw new RedisError('ERR The specified key does not exist');
  switch (request.lower(1)) {
    case 'getreg':
      reply.array(loaded.registers.length);
      for (const value of loaded.registers) reply.integer(value);
      break;
    case 'encoding':
      reply.simple(loaded.sparse ? 'sparse' : 'dense');
      break;
    case 'todense':
      if (loaded.sparse) c.db.update(loaded.record, writeDense(loaded.registers), 1);
      reply.integer(loaded.sparse ? 1 : 0);
      break;
    case 'decode':
      if (!loaded.sparse) throw new RedisError('ERR HLL encoding is not sparse');
      reply.bulkText(decode(loaded.registers));
      break;
    default:
      throw new RedisError(`ERR Unknown PFDEBUG subcommand '${request.text(1)}'`);
  }
}

function decode(registers: Registers): string {
  const words: string[] = [];
  for (let i = 0; i < registers.length; ) {
    const value = registers[i] ?? 0;
    let end = i;
    while (end < registers.length && registers[end] === value) end++;
    let run = end - i;
    i = end;
    while (run > 0) {
      const length = value === 0 ? run : Math.min(4, run);
      words.push(value === 0 ? `${length > 64 ? 'Z' : 'z'}:${length}` : `v:${value},${length}`);
      run -= length;
    }
  }
  return words.join(' ');
}

export const hyperloglogCommands: Commands = {
  pfadd,
  pfcount,
  pfmerge,
  pfdebug,
  pfselftest: (c) => c.reply.ok(),
};
