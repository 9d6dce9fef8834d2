/** The binary protocol: see memcached's doc/protocol-binary.txt and the SASL part of its wiki. */
import type { Database } from '../../models/key-value/database.js';
import { addToItem, deleteItem, getItem, type StoreMode, storeItem, touchItem } from '../../models/key-value/items.js';
import type { MemcachedClient, Session } from './client.js';
import { deadlineOf } from './expiry.js';
import { statsRows } from './stats.js';
import { keyBytesMax } from './text.js';
import { memcachedVersion } from './version.js';

const headerBytes = 24;
const bodyBytesMax = 1024 * 1024 * 128;
const noCreate = 0xffffffff;

const Status = {
  success: 0x00,
  notFound: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  invalid: 0x04,
  notStored: 0x05,
  notANumber: 0x06,
  authFailure: 0x20,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
} as const;

const texts: Readonly<Record<number, string>> = {
  [Status.notFound]: 'Not found',
  [Status.exists]: 'Data exists for key.',
  [Status.tooLarge]: 'Too large.',
  [Status.invalid]: 'Invalid arguments',
  [Status.notStored]: 'Not stored.',
  [Status.notANumber]: 'Non-numeric server-side value for incr or decr',
  [Status.authFailure]: 'Auth failure.',
  [Status.unknownCommand]: 'Unknown command',
  [Status.outOfMemory]: 'Out of memory',
};

interface BinaryRequest {
  readonly opcode: number;
  readonly key: string;
  readonly extras: Buffer;
  readonly value: Buffer;
  readonly opaque: number;
  readonly cas: number;
}

/** Quiet opcodes and the ones that answer. */
const loudOf: Readonly<Record<number, number>> = {
  9: 0x00,
  13: 0x0c,
  17: 0x01,
  18: 0x02,
  19: 0x03,
  20: 0x04,
  21: 0x05,
  22: 0x06,
  23: 0x07,
  24: 0x08,
  25: 0x0e,
  26: 0x0f,
  30: 0x1d,
  36: 0x23,
};

/** Lengths of extras by loud opcode, and whether key and value are required (+), forbidden (-) or free (?). */
const shapes: Readonly<Record<number, { extras: readonly number[]; key: '+' | '-' | '?'; value: '-' | '?' }>> = {
  0: { extras: [0], key: '+', value: '-' },
  1: { extras: [8], key: '+', value: '?' },
  2: { extras: [8], key: '+', value: '?' },
  3: { extras: [8], key: '+', value: '?' },
  4: { extras: [0], key: '+', value: '-' },
  5: { extras: [20], key: '+', value: '-' },
  6: { extras: [20], key: '+', value: '-' },
  7: { extras: [0], key: '-', value: '-' },
  8: { extras: [0, 4], key: '-', value: '-' },
  10: { extras: [0], key: '-', value: '-' },
  11: { extras: [0], key: '-', value: '-' },
  12: { extras: [0], key: '+', value: '-' },
  14: { extras: [0], key: '+', value: '?' },
  15: { extras: [0], key: '+', value: '?' },
  16: { extras: [0], key: '?', value: '-' },
  28: { extras: [4], key: '+', value: '-' },
  29: { extras: [4], key: '+', value: '-' },
  35: { extras: [4], key: '+', value: '-' },
  32: { extras: [0], key: '-', value: '-' },
  33: { extras: [0], key: '+', value: '?' },
  34: { extras: [0], key: '+', value: '?' },
};

const beforeLogin = new Set([0x20, 0x21, 0x22, 0x0b]);
const storeModes: Readonly<Record<number, StoreMode>> = {
  1: 'set',
  2: 'add',
  3: 'replace',
  14: 'append',
  15: 'prepend',
};

export class BinarySession implements Session {
  wanted = headerBytes;

  constructor(private readonly client: MemcachedClient) {}

  handle(bytes: Buffer, at: number, length: number): number {
    if (length - at < headerBytes) {
      this.wanted = headerBytes;
      return -1;
    }
    if (bytes[at] !== 0x80) {
      this.client.end();
      return length;
    }
    const opcode = bytes[at + 1] ?? 0;
    const keyLength = bytes.readUInt16BE(at + 2);
    const extrasLength = bytes[at + 4] ?? 0;
    const bodyLength = bytes.readUInt32BE(at + 8);
    const opaque = bytes.readUInt32BE(at + 12);
    const head = { opcode, opaque };
    if (keyLength + extrasLength > bodyLength || bodyLength > bodyBytesMax || keyLength > keyBytesMax) {
      this.status(head, Status.invalid);
      this.client.end();
      return length;
    }
    const end = at + headerBytes + bodyLength;
    if (end > length) {
      this.wanted = headerBytes + bodyLength;
      return -1;
    }
    const extrasAt = at + headerBytes;
    const keyAt = extrasAt + extrasLength;
    this.run({
      opcode,
      opaque,
      cas: Number(bytes.readBigUInt64BE(at + 16)),
      extras: Buffer.from(bytes.subarray(extrasAt, keyAt)),
      key: bytes.latin1Slice(keyAt, keyAt + keyLength),
      value: Buffer.from(bytes.subarray(keyAt + keyLength, end)),
    });
    return end;
  }

  private run(request: BinaryRequest): void {
    const { client } = this;
    const loud = loudOf[request.opcode] ?? request.opcode;
    const shape = shapes[loud];
    if (client.user === undefined && !beforeLogin.has(loud)) {
      this.status(request, Status.authFailure);
      client.end();
      return;
    }
    if (shape === undefined) {
      this.status(request, Status.unknownCommand);
      return;
    }
    const { extras, key, value } = request;
    if (
      !shape.extras.includes(extras.length) ||
      (shape.key === '+' && key === '') ||
      (shape.key === '-' && key !== '') ||
      (shape.value === '-' && value.length > 0)
    ) {
      this.status(request, Status.invalid);
      client.end();
      return;
    }
    const quiet = loud !== request.opcode;
    switch (loud) {
      case 0x00:
      case 0x0c:
        this.get(request, loud === 0x0c, quiet, undefined);
        return;
      case 0x1d:
      case 0x23:
        this.get(request, loud === 0x23, quiet, extras.readUInt32BE(0));
        return;
      case 0x01:
      case 0x02:
      case 0x03:
      case 0x0e:
      case 0x0f:
        this.store(request, loud, quiet);
        return;
      case 0x04:
        this.delete(request, quiet);
        return;
      case 0x05:
      case 0x06:
        this.delta(request, loud === 0x06, quiet);
        return;
      case 0x07:
        if (!quiet) this.status(request, Status.success);
        client.end();
        return;
      case 0x08:
        this.flush(request, quiet);
        return;
      case 0x0a:
        this.status(request, Status.success);
        return;
      case 0x0b:
        this.respond(request, Status.success, undefined, '', Buffer.from(memcachedVersion), 0);
        return;
      case 0x10:
        this.stat(request);
        return;
      case 0x1c:
        this.touch(request);
        return;
      case 0x20:
        this.respond(request, Status.success, undefined, '', Buffer.from('PLAIN'), 0);
        return;
      default:
        this.authenticate(request);
        return;
    }
  }

  // --- answers --------------------------------------------------------------------------------------------------------

  private respond(
    request: { readonly opcode: number; readonly opaque: number },
    status: number,
    extras: Buffer | undefined,
    key: string,
    value: Uint8Array | undefined,
    cas: number,
    valueStart = 0,
  ): void {
    const { client } = this;
    const extrasLength = extras?.length ?? 0;
    const valueLength = value === undefined ? 0 : value.length - valueStart;
    const header = Buffer.alloc(headerBytes);
    header[0] = 0x81;
    header[1] = request.opcode;
    header.writeUInt16BE(key.length, 2);
    header[4] = extrasLength;
    header.writeUInt16BE(status, 6);
    header.writeUInt32BE(extrasLength + key.length + valueLength, 8);
    header.writeUInt32BE(request.opaque, 12);
    header.writeBigUInt64BE(BigInt(cas), 16);
    client.writeBytes(header);
    if (extras !== undefined) client.writeBytes(extras);
    if (key !== '') client.writeText(key);
    if (value !== undefined) client.writeBytes(value, valueStart);
  }

  private status(
    request: { readonly opcode: number; readonly opaque: number },
    status: number,
    text = texts[status] ?? '',
  ): void {
    this.respond(request, status, undefined, '', text === '' ? undefined : Buffer.from(text), 0);
  }

  private failed(request: BinaryRequest): (text: string) => void {
    return (text) =>
      this.status(request, Status.outOfMemory, text === 'out of memory storing object' ? 'Out of memory' : text);
  }

  private wrongType(request: BinaryRequest): void {
    this.status(request, Status.notStored, 'wrong type: key holds a redis value of another type');
  }

  // --- commands -------------------------------------------------------------------------------------------------------

  private get(request: BinaryRequest, withKey: boolean, quiet: boolean, touchSeconds: number | undefined): void {
    const { client } = this;
    const { statistics } = client.server;
    const { key } = request;
    const mark = client.replyMark;
    let found = false;
    const body = (db: Database): void => {
      client.rewind(mark);
      if (touchSeconds !== undefined) touchItem(db, key, deadlineOf(touchSeconds, db.now));
      const item = getItem(db, key);
      found = item !== undefined;
      if (item === undefined) return;
      const extras = Buffer.alloc(4);
      extras.writeUInt32BE(item.flags);
      this.respond(request, Status.success, extras, withKey ? key : '', item.bytes, item.cas, item.start);
    };
    const done = (): void => {
      statistics.add('cmd_get');
      statistics.hit('get', found);
      if (found || quiet) return;
      if (withKey) this.respond(request, Status.notFound, undefined, key, undefined, 0);
      else this.status(request, Status.notFound);
    };
    if (touchSeconds === undefined) client.read(body, done, this.failed(request));
    else client.write(body, done, this.failed(request));
  }

  private store(request: BinaryRequest, loud: number, quiet: boolean): void {
    const { client } = this;
    const { server } = client;
    const { key, value, cas } = request;
    const mode = storeModes[loud] ?? 'set';
    const flags = request.extras.length === 8 ? request.extras.readUInt32BE(0) : 0;
    const seconds = request.extras.length === 8 ? request.extras.readInt32BE(4) : 0;
    if (value.length + key.length + 52 > server.itemSizeMax) {
      server.statistics.add('store_too_large');
      this.status(request, Status.tooLarge);
      if (mode === 'set')
        client.write(
          (db) => deleteItem(db, key),
          () => {},
          () => {},
        );
      return;
    }
    client.write(
      (db) => {
        const deadline = deadlineOf(seconds, db.now);
        const outcome = storeItem(db, { mode, key, value, flags, deadline, ...(cas === 0 ? {} : { cas }) });
        return { outcome, cas: outcome === 'stored' ? (getItem(db, key)?.cas ?? 0) : 0 };
      },
      ({ outcome, cas: version }) => {
        server.statistics.add('cmd_set');
        if (outcome === 'stored') {
          server.statistics.totalItems++;
          server.clearMark(key);
          if (!quiet) this.respond(request, Status.success, undefined, '', undefined, version);
        } else if (outcome === 'wrong-type') this.wrongType(request);
        else if (outcome === 'exists') this.status(request, Status.exists);
        else if (outcome === 'not-found') this.status(request, Status.notFound);
        else if (mode === 'add') this.status(request, Status.exists);
        else this.status(request, mode === 'replace' ? Status.notFound : Status.notStored);
      },
      this.failed(request),
    );
  }

  private delete(request: BinaryRequest, quiet: boolean): void {
    const { client } = this;
    client.write(
      (db) => deleteItem(db, request.key, request.cas === 0 ? undefined : request.cas),
      (outcome) => {
        client.server.statistics.hit('delete', outcome === 'deleted');
        if (outcome === 'deleted') {
          if (!quiet) this.status(request, Status.success);
        } else this.status(request, outcome === 'exists' ? Status.exists : Status.notFound);
      },
      this.failed(request),
    );
  }

  private delta(request: BinaryRequest, subtract: boolean, quiet: boolean): void {
    const { client } = this;
    const { key, extras } = request;
    const delta = extras.readBigUInt64BE(0);
    const initial = extras.readBigUInt64BE(8);
    const seconds = extras.readUInt32BE(16);
    client.write(
      (db) => {
        let result = addToItem(db, key, delta, subtract, request.cas === 0 ? undefined : request.cas);
        if (result.outcome === 'not-found' && seconds !== noCreate) {
          const value = Buffer.from(initial.toString(), 'latin1');
          storeItem(db, { mode: 'set', key, value, flags: 0, deadline: deadlineOf(seconds, db.now) });
          result = { outcome: 'changed', value: initial };
        }
        return { result, cas: getItem(db, key)?.cas ?? 0 };
      },
      ({ result, cas }) => {
        client.server.statistics.hit(subtract ? 'decr' : 'incr', result.outcome === 'changed');
        if (result.outcome === 'changed') {
          if (quiet) return;
          const value = Buffer.alloc(8);
          value.writeBigUInt64BE(result.value);
          this.respond(request, Status.success, undefined, '', value, cas);
        } else if (result.outcome === 'wrong-type') this.wrongType(request);
        else if (result.outcome === 'exists') this.status(request, Status.exists);
        else this.status(request, result.outcome === 'not-found' ? Status.notFound : Status.notANumber);
      },
      this.failed(request),
    );
  }

  private touch(request: BinaryRequest): void {
    const { client } = this;
    client.write(
      (db) => touchItem(db, request.key, deadlineOf(request.extras.readUInt32BE(0), db.now)),
      (outcome) => {
        client.server.statistics.add('cmd_touch');
        client.server.statistics.hit('touch', outcome === 'touched');
        if (outcome === 'wrong-type') this.wrongType(request);
        else this.status(request, outcome === 'touched' ? Status.success : Status.notFound);
      },
      this.failed(request),
    );
  }

  private flush(request: BinaryRequest, quiet: boolean): void {
    const delay = request.extras.length === 4 ? request.extras.readUInt32BE(0) : 0;
    const seconds = delay > 2592000 ? delay - Math.floor(Date.now() / 1000) : delay;
    this.client.after(
      this.client.server.flush(seconds) ?? undefined,
      () => {
        if (!quiet) this.status(request, Status.success);
      },
      this.failed(request),
    );
  }

  private stat(request: BinaryRequest): void {
    const { client } = this;
    if (request.key === 'reset') {
      client.server.statistics.reset();
      this.status(request, Status.success);
      return;
    }
    client.after(
      client.server.store.size(client.server.database),
      (items) => {
        const rows = statsRows(client, request.key === '' ? undefined : request.key, items);
        if (rows === undefined) {
          this.status(request, Status.notFound);
          return;
        }
        for (const [name, value] of rows) {
          this.respond(request, Status.success, undefined, name, Buffer.from(String(value)), 0);
        }
        this.status(request, Status.success);
      },
      this.failed(request),
    );
  }

  /** SASL PLAIN: authorization id, NUL, user, NUL, password. */
  private authenticate(request: BinaryRequest): void {
    const { client } = this;
    const { statistics, logins } = client.server;
    statistics.add('auth_cmds');
    const [, user = '', password = ''] = request.value.latin1Slice().split('\0');
    if (request.opcode === 0x21 && request.key === 'PLAIN' && logins.verify(user, password)) {
      client.user = user;
      this.respond(request, Status.success, undefined, '', Buffer.from('Authenticated'), 0);
    } else {
      statistics.add('auth_errors');
      this.status(request, Status.authFailure);
    }
  }
}
