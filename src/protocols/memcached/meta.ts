/** The meta commands mg, ms, md, ma, me, mn: see "Meta Commands" in memcached's doc/protocol.txt. */
import type { Database } from '../../models/key-value/database.js';
import {
  addToItem,
  deleteItem,
  getItem,
  type Item,
  type StoreMode,
  storeItem,
  touchItem,
} from '../../models/key-value/items.js';
import { keyHash } from '../../models/key-value/record.js';
import type { MemcachedClient } from './client.js';
import { deadlineOf, secondsLeft } from './expiry.js';
import { keyBytesMax, parseSigned } from './text.js';

const opaqueBytesMax = 32;
const flagsMax = 20;

type Verb = 'mg' | 'ms' | 'md' | 'ma' | 'me' | 'mn';

/** The flags each command knows. */
const known: Readonly<Record<'mg' | 'ms' | 'md' | 'ma' | 'me', string>> = {
  mg: 'bcfhklOqstvCENRTuPL',
  ms: 'bcCEFIkOqsTMNPL',
  md: 'bCEIkOqTxPL',
  ma: 'bCENJDTMqtcvkOPL',
  me: 'bkOqPL',
};

interface Flags {
  /** As they came, for the order of the answer. */
  readonly list: readonly string[];
  has(flag: string): boolean;
  token(flag: string): string;
}

interface MetaRequest {
  /** The key's bytes. */
  readonly key: string;
  /** As the client wrote it, base64 or not. */
  readonly written: string;
  readonly flags: Flags;
}

/** Where a refused `ms` passes over its data. */
export interface BlockSkipper {
  wanted: number;
  readonly start: number;
  skip(size: number, next: number, length: number): number;
}

export class MetaCommands {
  constructor(private readonly client: MemcachedClient) {}

  run(verb: Exclude<Verb, 'ms'>, words: readonly string[]): void {
    this.client.server.statistics.add('cmd_meta');
    if (verb === 'mn') {
      this.line('MN');
      return;
    }
    const request = this.parse(verb, words, 2);
    if (typeof request === 'string') this.line(request);
    else if (verb === 'mg') this.get(request);
    else if (verb === 'md') this.delete(request);
    else if (verb === 'ma') this.arithmetic(request);
    else this.debug(request);
  }

  private line(text: string): void {
    this.client.writeText(`${text}\r\n`);
  }

  private readonly failed = (text: string): void => this.line(`SERVER_ERROR ${text}`);

  private parse(
    verb: 'mg' | 'ms' | 'md' | 'ma' | 'me',
    words: readonly string[],
    firstFlag: number,
  ): MetaRequest | string {
    const written = words[1];
    if (written === undefined)
      return verb === 'me' ? 'CLIENT_ERROR bad command line format' : 'CLIENT_ERROR bad command line format';
    if (written.length > keyBytesMax) return 'CLIENT_ERROR bad command line format';
    const list = words.slice(firstFlag);
    if (list.length > flagsMax) return 'CLIENT_ERROR options flags are too long';
    const seen = new Map<string, string>();
    for (const word of list) {
      const flag = word.charAt(0);
      if (!known[verb].includes(flag)) return 'CLIENT_ERROR invalid flag';
      if (seen.has(flag)) return 'CLIENT_ERROR duplicate flag';
      seen.set(flag, word.slice(1));
    }
    const wrong = this.checkTokens(seen);
    if (wrong !== undefined) return wrong;
    let key = written;
    if (seen.has('b')) {
      if (!/^[A-Za-z0-9+/]+={0,2}$/.test(written) || written.length % 4 !== 0) return 'CLIENT_ERROR error decoding key';
      key = Buffer.from(written, 'base64').latin1Slice();
    }
    return { key, written, flags: { list, has: (flag) => seen.has(flag), token: (flag) => seen.get(flag) ?? '' } };
  }

  private checkTokens(seen: ReadonlyMap<string, string>): string | undefined {
    for (const flag of ['N', 'T', 'R', 'C', 'E', 'F', 'S']) {
      const token = seen.get(flag);
      if (token === undefined || (flag === 'N' && token === '')) continue;
      if (parseSigned(token) === undefined) return 'CLIENT_ERROR bad token in command line format';
    }
    const delta = seen.get('D');
    if (delta !== undefined && !isUint64(delta)) return 'CLIENT_ERROR invalid numeric delta value';
    const initial = seen.get('J');
    if (initial !== undefined && !isUint64(initial)) return 'CLIENT_ERROR invalid numeric initial value';
    if ((seen.get('O')?.length ?? 0) > opaqueBytesMax) return 'CLIENT_ERROR opaque token too long';
    return undefined;
  }

  /** The key as it was sent, and `b` when that was base64. */
  private keyEcho(request: MetaRequest): string {
    return ` k${request.written}${request.flags.has('b') ? ' b' : ''}`;
  }

  /** k and O as every answer may repeat them. */
  private echoes(request: MetaRequest): string {
    let text = '';
    for (const word of request.flags.list) {
      if (word === 'k') text += this.keyEcho(request);
      else if (word.startsWith('O')) text += ` ${word}`;
    }
    return text;
  }

  private seconds(flags: Flags, flag: string, db: Database): number {
    return deadlineOf(parseSigned(flags.token(flag)) ?? 0, db.now);
  }

  // --- mg -------------------------------------------------------------------------------------------------------------

  private get(request: MetaRequest): void {
    const { client } = this;
    const { flags, key } = request;
    const { statistics, store } = client.server;
    const mark = client.replyMark;
    let found = false;
    const body = (db: Database): void => {
      client.rewind(mark);
      const idle = store.access.idleSeconds(keyHash(key));
      const fetched = store.access.fetched(keyHash(key));
      let item = getItem(db, key);
      found = item !== undefined;
      let won = '';
      if (item === undefined && flags.has('N')) {
        storeItem(db, { mode: 'set', key, value: Buffer.alloc(0), flags: 0, deadline: this.seconds(flags, 'N', db) });
        client.server.setMark(key, { stale: false, won: true });
        item = getItem(db, key);
        won = ' W';
      } else if (item !== undefined) won = this.marks(request, item, db);
      if (item === undefined) {
        if (!flags.has('q')) client.writeText(`EN${this.echoes(request)}\r\n`);
        return;
      }
      if (flags.has('T')) {
        touchItem(db, key, this.seconds(flags, 'T', db));
        item = getItem(db, key);
        if (item === undefined) {
          client.writeText(`EN${this.echoes(request)}\r\n`);
          return;
        }
      }
      this.writeItem(request, item, db.now, { idle, fetched }, won);
    };
    const done = (): void => {
      statistics.add('cmd_get');
      statistics.hit('get', found);
      if (flags.has('T')) {
        statistics.add('cmd_touch');
        statistics.hit('touch', found);
      }
    };
    const failed = (text: string): void => {
      client.rewind(mark);
      this.failed(text);
    };
    if (flags.has('N') || flags.has('T')) client.write(body, done, failed);
    else client.read(body, done, failed);
  }

  /** ` W`, ` X`, ` Z` as the item's mark and its age demand. */
  private marks(request: MetaRequest, item: Item, db: Database): string {
    const { server } = this.client;
    const { flags, key } = request;
    let mark = server.mark(key);
    if (flags.has('R') && mark?.won !== true) {
      const left = secondsLeft(item.deadline, db.now);
      if (left !== -1 && left < Number(flags.token('R'))) {
        mark ??= { stale: false, won: false };
        mark.won = true;
        server.setMark(key, mark);
        return mark.stale ? ' X W' : ' W';
      }
    }
    if (mark === undefined) return '';
    if (mark.stale) {
      if (mark.won) return ' Z X';
      mark.won = true;
      return ' X W';
    }
    return mark.won ? ' Z' : '';
  }

  private writeItem(
    request: MetaRequest,
    item: Item,
    nowMs: number,
    access: { readonly idle: number; readonly fetched: boolean },
    tail: string,
  ): void {
    const { client } = this;
    const { flags } = request;
    const size = item.bytes.length - item.start;
    const withValue = flags.has('v') && !(flags.has('C') && Number(flags.token('C')) === item.cas);
    let text = withValue ? `VA ${size}` : 'HD';
    for (const word of flags.list) {
      switch (word.charAt(0)) {
        case 'c':
          text += ` c${item.cas}`;
          break;
        case 'f':
          text += ` f${item.flags}`;
          break;
        case 'h':
          text += access.fetched ? ' h1' : ' h0';
          break;
        case 'k':
          text += this.keyEcho(request);
          break;
        case 'l':
          text += ` l${access.idle}`;
          break;
        case 'O':
          text += ` ${word}`;
          break;
        case 's':
          text += ` s${size}`;
          break;
        case 't':
          text += ` t${secondsLeft(item.deadline, nowMs)}`;
          break;
      }
    }
    client.writeText(`${text}${tail}\r\n`);
    if (withValue) {
      client.writeBytes(item.bytes, item.start);
      client.writeText('\r\n');
    }
    if (!flags.has('u')) client.server.store.access.noteFetch(keyHash(item.key));
  }

  // --- ms -------------------------------------------------------------------------------------------------------------

  set(words: readonly string[], bytes: Buffer, next: number, length: number, block: BlockSkipper): number {
    const { client } = this;
    client.server.statistics.add('cmd_meta');
    const size = words[2] === undefined ? undefined : parseSigned(words[2]);
    if (words.length < 3 || size === undefined || size < 0 || size > 2 ** 31 - 3) {
      this.line('CLIENT_ERROR bad command line format');
      return next;
    }
    const request = this.parse('ms', words, 3);
    const refusal = typeof request === 'string' ? request : this.modeError(request);
    if (refusal !== undefined || typeof request === 'string') {
      this.line(refusal ?? 'CLIENT_ERROR bad command line format');
      return block.skip(size + 2, next, length);
    }
    if (size + request.key.length + 52 > client.server.itemSizeMax) {
      client.server.statistics.add('store_too_large');
      this.line('SERVER_ERROR object too large for cache');
      client.write(
        (db) => deleteItem(db, request.key),
        () => {},
        this.failed,
      );
      return block.skip(size + 2, next, length);
    }
    const end = next + size;
    if (end + 2 > length) {
      block.wanted = end + 2 - block.start;
      return -1;
    }
    if (bytes[end] !== 13 || bytes[end + 1] !== 10) {
      this.line('CLIENT_ERROR bad data chunk');
      return end + 2;
    }
    this.put(request, Buffer.from(bytes.subarray(next, end)));
    return end + 2;
  }

  private modeError(request: MetaRequest): string | undefined {
    const { flags } = request;
    if (!flags.has('M')) return undefined;
    return modes[flags.token('M')] === undefined ? 'CLIENT_ERROR invalid mode for ms M token' : undefined;
  }

  private put(request: MetaRequest, value: Buffer): void {
    const { client } = this;
    const { flags, key } = request;
    const { server } = client;
    const mode: StoreMode = modes[flags.token('M')] ?? 'set';
    let cas = 0;
    let stale = false;
    client.write(
      (db) => {
        const compare = flags.has('C') ? Number(flags.token('C')) : undefined;
        const old = getItem(db, key);
        stale = compare !== undefined && flags.has('I') && old !== undefined && compare < old.cas;
        const deadline = flags.has('T') ? this.seconds(flags, 'T', db) : 0;
        const store = { key, value, flags: Number(flags.token('F') || 0), deadline };
        let outcome = storeItem(db, { ...store, mode, ...(compare === undefined || stale ? {} : { cas: compare }) });
        if (outcome === 'not-stored' && flags.has('N') && (mode === 'append' || mode === 'prepend')) {
          outcome = storeItem(db, { ...store, mode: 'set', deadline: this.seconds(flags, 'N', db) });
        }
        cas = getItem(db, key)?.cas ?? 0;
        return outcome;
      },
      (outcome) => {
        server.statistics.add('cmd_set');
        if (outcome === 'stored') {
          server.statistics.totalItems++;
          if (stale) server.setMark(key, { stale: true, won: false });
          else server.clearMark(key);
        }
        const code = { stored: 'HD', 'not-stored': 'NS', exists: 'EX', 'not-found': 'NF', 'wrong-type': '' }[outcome];
        if (code === '') this.line('SERVER_ERROR wrong type: key holds a redis value of another type');
        else if (!(outcome === 'stored' && flags.has('q'))) {
          let text = code;
          for (const word of flags.list) {
            if (word === 'k') text += this.keyEcho(request);
            else if (word.startsWith('O')) text += ` ${word}`;
            else if (word === 'c') text += ` c${cas}`;
            else if (word === 's') text += ` s${value.length}`;
          }
          this.line(text);
        }
      },
      this.failed,
    );
  }

  // --- md, ma, me -----------------------------------------------------------------------------------------------------

  private delete(request: MetaRequest): void {
    const { client } = this;
    const { flags, key } = request;
    const { server } = client;
    client.write(
      (db): 'deleted' | 'not-found' | 'exists' | 'marked' => {
        const compare = flags.has('C') ? Number(flags.token('C')) : undefined;
        if (!flags.has('I') && !flags.has('x')) return deleteItem(db, key, compare);
        const item = getItem(db, key);
        if (item === undefined) return 'not-found';
        if (compare !== undefined && item.cas !== compare) return 'exists';
        const deadline = flags.has('T') ? this.seconds(flags, 'T', db) : item.deadline;
        const value = flags.has('x') ? Buffer.alloc(0) : Buffer.from(item.bytes.subarray(item.start));
        storeItem(db, { mode: 'set', key, value, flags: flags.has('x') ? 0 : item.flags, deadline });
        return 'marked';
      },
      (outcome) => {
        server.statistics.hit('delete', outcome === 'deleted' || outcome === 'marked');
        if (outcome === 'marked' && flags.has('I')) server.setMark(key, { stale: true, won: false });
        else if (outcome === 'deleted') server.clearMark(key);
        const code = { deleted: 'HD', marked: 'HD', 'not-found': 'NF', exists: 'EX' }[outcome];
        if (!(flags.has('q') && code === 'HD')) this.line(code + this.echoes(request));
      },
      this.failed,
    );
  }

  private arithmetic(request: MetaRequest): void {
    const { client } = this;
    const { flags, key } = request;
    const mode = flags.has('M') ? flags.token('M') : 'I';
    const subtract = ['D', 'd', '-', 'decr', 'DECR'].includes(mode);
    if (!subtract && !['I', 'i', '+', 'incr', 'INCR'].includes(mode)) {
      this.line('CLIENT_ERROR invalid mode for ma M token');
      return;
    }
    const delta = flags.has('D') ? BigInt(flags.token('D')) : 1n;
    const compare = flags.has('C') ? Number(flags.token('C')) : undefined;
    client.write(
      (db) => {
        let result = addToItem(db, key, delta, subtract, compare);
        if (result.outcome === 'not-found' && flags.has('N')) {
          const initial = flags.has('J') ? BigInt(flags.token('J')) : 0n;
          const value = Buffer.from(initial.toString(), 'latin1');
          storeItem(db, { mode: 'set', key, value, flags: 0, deadline: this.seconds(flags, 'N', db) });
          result = { outcome: 'changed', value: initial };
        } else if (result.outcome === 'changed' && flags.has('T')) touchItem(db, key, this.seconds(flags, 'T', db));
        const item = getItem(db, key);
        return { result, cas: item?.cas ?? 0, left: secondsLeft(item?.deadline ?? 0, db.now) };
      },
      ({ result, cas, left }) => {
        client.server.statistics.hit(subtract ? 'decr' : 'incr', result.outcome === 'changed');
        if (result.outcome === 'not-a-number') {
          this.line('CLIENT_ERROR cannot increment or decrement non-numeric value');
        } else if (result.outcome === 'wrong-type') {
          this.line('SERVER_ERROR wrong type: key holds a redis value of another type');
        } else if (result.outcome === 'not-found') {
          this.line(`NF${this.echoes(request)}`);
        } else if (result.outcome === 'exists') this.line(`EX${this.echoes(request)}`);
        else if (result.outcome === 'changed') this.writeNumber(request, result.value, cas, left);
      },
      this.failed,
    );
  }

  private writeNumber(request: MetaRequest, value: bigint, cas: number, left: number): void {
    const { flags } = request;
    if (flags.has('q')) return;
    const digits = value.toString();
    let text = flags.has('v') ? `VA ${digits.length}` : 'HD';
    for (const word of flags.list) {
      if (word === 't') text += ` t${left}`;
      else if (word === 'c') text += ` c${cas}`;
      else if (word === 'k') text += this.keyEcho(request);
      else if (word.startsWith('O')) text += ` ${word}`;
    }
    this.line(text);
    if (flags.has('v')) this.line(digits);
  }

  private debug(request: MetaRequest): void {
    const { client } = this;
    const { key } = request;
    const { store } = client.server;
    client.read(
      (db) => {
        const idle = store.access.idleSeconds(keyHash(key));
        const fetched = store.access.fetched(keyHash(key));
        const item = getItem(db, key);
        if (item === undefined) return 'EN';
        const size = item.bytes.length - item.start;
        return `ME ${request.written} exp=${secondsLeft(item.deadline, db.now)} la=${idle} cas=${item.cas} fetch=${fetched ? 'yes' : 'no'} cls=1 size=${size + key.length + 50}`;
      },
      (text) => this.line(text),
      this.failed,
    );
  }
}

/** Modes of `ms`, upper and lower case alike. */
const modes: Readonly<Record<string, StoreMode>> = {
  E: 'add',
  e: 'add',
  A: 'append',
  a: 'append',
  P: 'prepend',
  p: 'prepend',
  R: 'replace',
  r: 'replace',
  S: 'set',
  s: 'set',
};

function isUint64(text: string): boolean {
  return /^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n;
}
