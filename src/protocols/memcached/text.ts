/**
 * The text protocol: a line, and for storage commands a block of data after it. See memcached's doc/protocol.txt. The meta
 * commands are in meta.ts, the statistics in stats.ts.
 */
import { addToItem, deleteItem, getItem, type StoreMode, storeItem, touchItem } from '../../models/key-value/items.js';
import type { MemcachedClient, Session } from './client.js';
import { deadlineOf } from './expiry.js';
import { MetaCommands } from './meta.js';
import { writeStats } from './stats.js';
import { memcachedVersion } from './version.js';

export const keyBytesMax = 250;
/** A line without an end may have this many bytes, unless it is a get. */
const lineBytesMax = 2048;
/** A line of keys to get may have this many. */
const getLineBytesMax = 1024 * 1024;
const valueBytesMax = 2 ** 31 - 3;
/** What an item takes beside key and value, as memcached counts it. */
const itemHeaderBytes = 50;

const badFormat = 'CLIENT_ERROR bad command line format';

interface Storage {
  readonly verb: StoreMode | 'cas';
  readonly key: string;
  readonly flags: number;
  readonly exptime: number;
  readonly length: number;
  readonly cas: number | undefined;
  readonly quiet: boolean;
}

export class TextSession implements Session {
  wanted = 1;
  private readonly meta: MetaCommands;
  /** Bytes of a refused data block that are still to be skipped. */
  private skipping = 0;
  /** Where the request being handled begins. */
  start = 0;

  constructor(private readonly client: MemcachedClient) {
    this.meta = new MetaCommands(client);
  }

  handle(bytes: Buffer, at: number, length: number): number {
    if (this.skipping > 0) {
      const skipped = Math.min(this.skipping, length - at);
      this.skipping -= skipped;
      return at + skipped;
    }
    this.start = at;
    const newline = bytes.indexOf(10, at);
    if (newline < 0 || newline >= length) return this.unfinishedLine(bytes, at, length);
    const lineEnd = newline > at && bytes[newline - 1] === 13 ? newline - 1 : newline;
    const words = bytes
      .latin1Slice(at, lineEnd)
      .split(' ')
      .filter((word) => word !== '');
    return this.command(words, bytes, newline + 1, length);
  }

  private unfinishedLine(bytes: Buffer, at: number, length: number): number {
    const size = length - at;
    this.wanted = size + 1;
    if (size > lineBytesMax) {
      const start = bytes.latin1Slice(at, at + 5);
      if (!(start.startsWith('get ') || start.startsWith('gets ')) || size > getLineBytesMax) {
        this.line('CLIENT_ERROR line too long');
        this.client.end();
        return length;
      }
    }
    return -1;
  }

  private line(text: string): void {
    this.client.writeText(`${text}\r\n`);
  }

  private readonly failed = (text: string): void => this.line(`SERVER_ERROR ${text}`);

  /** Runs a command whose line ends before `next`; gives where the request ends, or -1. */
  private command(words: readonly string[], bytes: Buffer, next: number, length: number): number {
    const [verb = ''] = words;
    const { client } = this;
    if (client.user === undefined) return this.beforeLogin(words, bytes, next, length);
    switch (verb) {
      case 'get':
      case 'gets':
        this.get(words.slice(1), verb === 'gets', undefined);
        return next;
      case 'gat':
      case 'gats':
        this.getAndTouch(words, verb === 'gats');
        return next;
      case 'set':
      case 'add':
      case 'replace':
      case 'append':
      case 'prepend':
      case 'cas':
        return this.store(verb, words, bytes, next, length);
      case 'ms':
        return this.meta.set(words, bytes, next, length, this);
      case 'mg':
      case 'md':
      case 'ma':
      case 'me':
      case 'mn':
        this.meta.run(verb, words);
        return next;
      case 'incr':
      case 'decr':
        this.delta(verb, words);
        return next;
      case 'delete':
        this.delete(words);
        return next;
      case 'touch':
        this.touch(words);
        return next;
      case 'flush_all':
        this.flushAll(words);
        return next;
      case 'version':
        this.line(`VERSION ${memcachedVersion}`);
        return next;
      case 'verbosity':
        this.verbosity(words);
        return next;
      case 'quit':
        client.end();
        return next;
      case 'stats':
        writeStats(client, words.slice(1));
        return next;
      case 'shutdown':
        this.shutdown(words);
        return next;
      case 'cache_memlimit':
        this.cacheMemlimit(words);
        return next;
      case 'lru_crawler':
        this.lruCrawler(words);
        return next;
      case 'lru':
        this.line(words.length < 2 ? 'ERROR' : 'OK');
        return next;
      case 'slabs':
        this.slabs(words);
        return next;
      case 'watch':
        this.line('OK');
        return next;
      case 'refresh_certs':
        this.line('ERROR');
        return next;
      default:
        this.line('ERROR');
        return next;
    }
  }

  // --- reading --------------------------------------------------------------------------------------------------------

  private get(keys: readonly string[], withCas: boolean, touchSeconds: number | undefined): void {
    const { client } = this;
    const { statistics } = client.server;
    if (keys.length === 0) {
      this.line('ERROR');
      return;
    }
    if (keys.some((key) => key.length > keyBytesMax)) {
      this.line(badFormat);
      return;
    }
    const mark = client.replyMark;
    let hits = 0;
    const body = (db: Parameters<typeof getItem>[0]): void => {
      client.rewind(mark);
      hits = 0;
      if (keys.length > 1) db.tx.prefetch(keys.map((key) => db.engineKey(key)));
      for (const key of keys) {
        const item = getItem(db, key);
        if (item === undefined) continue;
        hits++;
        const size = item.bytes.length - item.start;
        client.writeText(`VALUE ${key} ${item.flags} ${size}${withCas ? ` ${item.cas}` : ''}\r\n`);
        client.writeBytes(item.bytes, item.start);
        client.writeText('\r\n');
        if (touchSeconds !== undefined) touchItem(db, key, deadlineOf(touchSeconds, db.now));
      }
    };
    const done = (): void => {
      statistics.add('cmd_get', keys.length);
      statistics.add('get_hits', hits);
      statistics.add('get_misses', keys.length - hits);
      this.line('END');
    };
    const failed = (text: string): void => {
      client.rewind(mark);
      this.failed(text);
    };
    if (touchSeconds === undefined) client.read(body, done, failed);
    else {
      statistics.add('cmd_touch', keys.length);
      client.write(body, done, failed);
    }
  }

  private getAndTouch(words: readonly string[], withCas: boolean): void {
    if (words.length < 2) {
      this.line('ERROR');
      return;
    }
    const seconds = parseSigned(words[1] ?? '');
    if (seconds === undefined) this.line('CLIENT_ERROR invalid exptime argument');
    else if (words.length === 2) this.line('END');
    else this.get(words.slice(2), withCas, seconds);
  }

  // --- storing --------------------------------------------------------------------------------------------------------

  private store(
    verb: StoreMode | 'cas',
    words: readonly string[],
    bytes: Buffer,
    next: number,
    length: number,
  ): number {
    const count = verb === 'cas' ? 6 : 5;
    if (words.length < count || words.length > count + 1) {
      this.line('ERROR');
      return next;
    }
    const request = this.parseStorage(verb, words, count);
    if (typeof request === 'string') {
      this.line(request);
      const size = parseSigned(words[4] ?? '');
      return size !== undefined && size >= 0 && (words[1]?.length ?? 0) > keyBytesMax
        ? this.skip(size + 2, next, length)
        : next;
    }
    if (request.length + request.key.length + itemHeaderBytes + 2 > this.client.server.itemSizeMax) {
      return this.tooLarge(request, next, length);
    }
    const end = next + request.length;
    if (end + 2 > length) {
      // One byte less may be enough: a bare line feed ends the block too.
      if (!(end + 1 === length && bytes[end] === 10)) {
        this.wanted = end + 2 - this.start;
        return -1;
      }
    }
    let after = end + 2;
    if (bytes[end] === 10) after = end + 1;
    else if (bytes[end] !== 13 || bytes[end + 1] !== 10) {
      this.line('CLIENT_ERROR bad data chunk');
      return end + 2;
    }
    this.put(request, Buffer.from(bytes.subarray(next, end)));
    return after;
  }

  private parseStorage(verb: StoreMode | 'cas', words: readonly string[], count: number): Storage | string {
    const [, key = '', flagsText = '', exptimeText = '', lengthText = ''] = words;
    if (key.length > keyBytesMax) return badFormat;
    const flags = /^\d{1,10}$/.test(flagsText) ? Number(flagsText) : undefined;
    const exptime = parseSigned(exptimeText);
    const size = parseSigned(lengthText);
    if (flags === undefined || flags > 0xffffffff || exptime === undefined || size === undefined) return badFormat;
    if (size < 0 || size > valueBytesMax) return badFormat;
    let cas: number | undefined;
    if (verb === 'cas') {
      const text = words[5] ?? '';
      if (!/^\d{1,20}$/.test(text)) return badFormat;
      cas = Number(text);
    }
    return { verb, key, flags, exptime, length: size, cas, quiet: words[count] === 'noreply' };
  }

  private tooLarge(request: Storage, next: number, length: number): number {
    const { client } = this;
    client.server.statistics.add('store_too_large');
    if (!request.quiet) this.line('SERVER_ERROR object too large for cache');
    // A value that could not be stored must not leave an older one to be found.
    if (request.verb === 'set')
      client.write(
        (db) => deleteItem(db, request.key),
        () => {},
        this.failed,
      );
    return this.skip(request.length + 2, next, length);
  }

  /** Passes over a data block. */
  skip(size: number, next: number, length: number): number {
    const there = Math.min(size, length - next);
    this.skipping = size - there;
    return next + there;
  }

  private put(request: Storage, value: Buffer): void {
    const { client } = this;
    const { statistics } = client.server;
    const { key, verb, cas, flags, quiet } = request;
    client.write(
      (db) =>
        storeItem(db, {
          mode: verb === 'cas' ? 'set' : verb,
          key,
          value,
          flags,
          deadline: deadlineOf(request.exptime, db.now),
          ...(cas === undefined ? {} : { cas }),
        }),
      (outcome) => {
        statistics.add('cmd_set');
        if (outcome === 'stored') {
          statistics.totalItems++;
          client.server.clearMark(key);
        }
        if (verb === 'cas') {
          if (outcome === 'exists') statistics.add('cas_badval');
          else statistics.hit('cas', outcome === 'stored');
        }
        if (quiet) return;
        if (outcome === 'wrong-type') this.line('SERVER_ERROR wrong type: key holds a redis value of another type');
        else this.line(outcome.toUpperCase().replace('-', '_'));
      },
      this.failed,
    );
  }

  // --- changing -------------------------------------------------------------------------------------------------------

  private delta(verb: 'incr' | 'decr', words: readonly string[]): void {
    const [, key = '', text = ''] = words;
    if (words.length < 3 || words.length > 4) {
      this.line('ERROR');
      return;
    }
    if (key.length > keyBytesMax) {
      this.line(badFormat);
      return;
    }
    if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 1n << 64n) {
      this.line('CLIENT_ERROR invalid numeric delta argument');
      return;
    }
    const quiet = words[3] === 'noreply';
    const { client } = this;
    client.write(
      (db) => addToItem(db, key, BigInt(text), verb === 'decr'),
      (result) => {
        client.server.statistics.hit(verb, result.outcome === 'changed');
        if (quiet) return;
        if (result.outcome === 'changed') this.line(result.value.toString());
        else if (result.outcome === 'not-found') this.line('NOT_FOUND');
        else if (result.outcome === 'wrong-type')
          this.line('SERVER_ERROR wrong type: key holds a redis value of another type');
        else this.line('CLIENT_ERROR cannot increment or decrement non-numeric value');
      },
      this.failed,
    );
  }

  private delete(words: readonly string[]): void {
    const [, key = '', third, fourth] = words;
    if (words.length < 2) {
      this.line('ERROR');
      return;
    }
    const plain = third === undefined || (words.length === 3 && (third === '0' || third === 'noreply'));
    if (!plain && !(words.length === 4 && third === '0' && fourth === 'noreply')) {
      this.line(`${badFormat}.  Usage: delete <key> [noreply]`);
      return;
    }
    if (key.length > keyBytesMax) {
      this.line(badFormat);
      return;
    }
    const quiet = third === 'noreply' || fourth === 'noreply';
    const { client } = this;
    client.write(
      (db) => deleteItem(db, key),
      (outcome) => {
        client.server.statistics.hit('delete', outcome === 'deleted');
        client.server.clearMark(key);
        if (!quiet) this.line(outcome === 'deleted' ? 'DELETED' : 'NOT_FOUND');
      },
      this.failed,
    );
  }

  private touch(words: readonly string[]): void {
    const [, key = '', text = ''] = words;
    if (words.length < 3 || words.length > 4) {
      this.line('ERROR');
      return;
    }
    if (key.length > keyBytesMax) {
      this.line(badFormat);
      return;
    }
    const seconds = parseSigned(text);
    if (seconds === undefined) {
      this.line('CLIENT_ERROR invalid exptime argument');
      return;
    }
    const quiet = words[3] === 'noreply';
    const { client } = this;
    client.write(
      (db) => touchItem(db, key, deadlineOf(seconds, db.now)),
      (outcome) => {
        client.server.statistics.add('cmd_touch');
        client.server.statistics.hit('touch', outcome === 'touched');
        if (quiet) return;
        if (outcome === 'wrong-type') this.line('SERVER_ERROR wrong type: key holds a redis value of another type');
        else this.line(outcome === 'touched' ? 'TOUCHED' : 'NOT_FOUND');
      },
      this.failed,
    );
  }

  private verbosity(words: readonly string[]): void {
    const [, level = '', last] = words;
    if (words.length < 2 || words.length > 3) this.line('ERROR');
    else if (level === 'noreply' || last === 'noreply') return;
    else this.line(/^\d+$/.test(level) ? 'OK' : badFormat);
  }

  private flushAll(words: readonly string[]): void {
    const quiet = words[words.length - 1] === 'noreply';
    const given = words.slice(1, quiet ? -1 : undefined);
    const delay = given[0] === undefined ? 0 : parseSigned(given[0]);
    if (delay === undefined) {
      this.line('CLIENT_ERROR invalid exptime argument');
      return;
    }
    const { client } = this;
    const now = Math.floor(Date.now() / 1000);
    const seconds = delay > 2592000 ? delay - now : delay;
    client.after(
      client.server.flush(seconds) ?? undefined,
      () => {
        if (!quiet) this.line('OK');
      },
      this.failed,
    );
  }

  // --- the server -----------------------------------------------------------------------------------------------------

  private shutdown(words: readonly string[]): void {
    const stop = this.client.server.options.shutdown;
    if (stop === undefined) {
      this.line('ERROR: shutdown not enabled');
      return;
    }
    if (words.length > 2 || (words.length === 2 && words[1] !== 'graceful')) {
      this.line('CLIENT_ERROR invalid shutdown mode');
      return;
    }
    this.client.end();
    stop();
  }

  private cacheMemlimit(words: readonly string[]): void {
    const megabytes = parseSigned(words[1] ?? '');
    if (words.length < 2 || megabytes === undefined) {
      this.line('ERROR');
      return;
    }
    if (megabytes < 8) {
      this.line('MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m');
      return;
    }
    this.client.server.memoryLimitMegabytes = megabytes;
    if (words[2] !== 'noreply') this.line('OK');
  }

  private slabs(words: readonly string[]): void {
    if (words[1] === 'automove' && words.length >= 3) this.line('OK');
    else if (words[1] === 'reassign' && words.length >= 4) {
      if (words[2] === words[3]) this.line('SAME src and dst class are identical');
      else this.line('NOSPARE source class has no spare pages');
    } else this.line('ERROR');
  }

  private lruCrawler(words: readonly string[]): void {
    const [, what] = words;
    if (what === 'metadump' || what === 'mgdump') this.dump(what);
    else if (what === 'enable' || what === 'disable') this.line('OK');
    else if ((what === 'sleep' || what === 'tocrawl') && parseSigned(words[2] ?? '') !== undefined) this.line('OK');
    else if (what === 'crawl' && words.length >= 3) {
      this.line(words[2] === 'all' || /^[\d,]+$/.test(words[2] ?? '') ? 'OK' : 'BADCLASS invalid class id');
    } else this.line('ERROR');
  }

  /** Names all items: a line each. */
  private dump(form: 'metadump' | 'mgdump'): void {
    const { client } = this;
    const { store } = client.server;
    client.read(
      (db) => {
        const lines: string[] = [];
        for (const item of store.strings(db)) {
          const key = encodeURIComponent(Buffer.from(item.key, 'latin1').toString('utf8'));
          if (form === 'mgdump') lines.push(`mg ${item.key}\r\n`);
          else {
            const exp = item.deadline === 0 ? -1 : Math.floor(item.deadline / 1000);
            const la = Math.floor(db.now / 1000) - store.access.idleSeconds(item.hash);
            lines.push(`key=${key} exp=${exp} la=${la} cas=${item.version} fetch=no cls=1 size=${item.size}\r\n`);
          }
        }
        return lines.join('');
      },
      (text) => {
        client.writeText(text);
        this.line(form === 'mgdump' ? 'EN' : 'END');
      },
      this.failed,
    );
  }

  // --- logging in -----------------------------------------------------------------------------------------------------

  /** Before logging in only `set x 0 0 n` with `user password` as its data is understood. */
  private beforeLogin(words: readonly string[], bytes: Buffer, next: number, length: number): number {
    if (words[0] === 'quit') {
      this.client.end();
      return next;
    }
    const size = words[0] === 'set' && words.length >= 5 ? parseSigned(words[4] ?? '') : undefined;
    if (size === undefined || size < 0 || size > lineBytesMax) {
      this.line('CLIENT_ERROR unauthenticated');
      return next;
    }
    if (next + size + 2 > length) {
      this.wanted = length + 1;
      return -1;
    }
    const [user = '', password = ''] = bytes.latin1Slice(next, next + size).split(' ');
    const { server } = this.client;
    server.statistics.add('auth_cmds');
    if (server.logins.verify(user, password)) {
      this.client.user = user;
      this.line('STORED');
    } else {
      server.statistics.add('auth_errors');
      this.line('CLIENT_ERROR authentication failure');
    }
    return next + size + 2;
  }
}

export function parseSigned(text: string): number | undefined {
  return /^-?\d{1,19}$/.test(text) ? Number(text) : undefined;
}
