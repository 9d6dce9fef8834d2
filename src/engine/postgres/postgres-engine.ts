/**
 * The engine on PostgreSQL and what speaks its protocol: any number of Rosetta servers over one database.
 *
 * Bodies are synchronous; what a body reads is fetched between its runs (records.ts). A transaction is optimistic: the
 * versions of what it read go into one statement that checks them and writes, run as a serializable transaction of its
 * own (dialect.ts). Hence a point read takes one round trip, a blind write one, a read-modify-write two.
 */
import pg from 'pg';
import type {
  Batches,
  Engine,
  EngineStatistics,
  Entry,
  Key,
  OpenTransaction,
  Range,
  ScanOptions,
  Snapshot,
  Transaction,
  Unsubscribe,
  View,
  WriteOptions,
} from '../engine.js';
import { ConflictError, FormatError, StorageFullError, UnavailableError } from '../errors.js';
import { writeBackup } from '../portable-backup.js';
import {
  commitStatement,
  createSchema,
  hasNotifications,
  schemaFormat,
  selectCounter,
  selectKeys,
  selectRange,
  systemOf,
} from './dialect.js';
import { Messages } from './messages.js';
import { coveredRange, Fetched, type FetchedScan, NotFetched, scanFetchMax } from './records.js';
import { FetchedTransaction, FetchedView, type RunContext, Writes } from './transaction.js';

export interface PostgresOptions {
  /** postgres://user@host/database; several hosts and target_session_attrs as libpq knows them. */
  readonly url: string;
  readonly connectionsMax?: number;
  readonly log?: (text: string, err: unknown) => void;
}

const connectionsDefault = 16;
/** How often a transaction that conflicts is run again before the conflict is reported. */
const attemptsMax = 100;
/** How long a lost database is waited for before a request fails. */
const unavailableMsMax = 10_000;
const backoffMsMin = 1;
const backoffMsMax = 200;
/** Versions reserved at a time. */
const versionBlock = 65_536;
const counterShards = 16;

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly version: string;
}

interface Queryable {
  query<R extends pg.QueryResultRow>(config: {
    name?: string;
    text: string;
    values: unknown[];
  }): Promise<pg.QueryResult<R>>;
}

const keyBytes = (key: Key): Buffer => Buffer.from(key, 'latin1');

export class PostgresEngine implements Engine {
  private nextVersion = 0;
  private lastVersion = -1;
  private reserving: Promise<void> | undefined;
  private commits = 0;
  private conflicts = 0;
  private refusing: string | undefined;
  private closing = false;

  private constructor(
    /** Statements whose commit need not be on disk when they answer. */
    private readonly relaxed: pg.Pool,
    private readonly durable: pg.Pool,
    private readonly messages: Messages,
  ) {}

  static async open(options: PostgresOptions): Promise<PostgresEngine> {
    const log = options.log ?? (() => {});
    const url = await reachableUrl(options.url);
    const config = (extra: string): pg.PoolConfig => ({
      connectionString: url,
      max: options.connectionsMax ?? connectionsDefault,
      options: `-c default_transaction_isolation=serializable ${extra}`.trim(),
      keepAlive: true,
      application_name: 'rosetta',
    });
    const durable = new pg.Pool(config(''));
    const relaxed = new pg.Pool(config('-c synchronous_commit=off'));
    for (const pool of [durable, relaxed]) pool.on('error', (err) => log('an idle database connection was lost', err));
    try {
      const { rows } = await durable.query<{ version: string }>('SELECT version() AS version');
      const system = systemOf(rows[0]?.version ?? '');
      await prepareSchema(durable);
      const connect = async (): Promise<pg.Client> => {
        const client = new pg.Client({
          connectionString: await reachableUrl(options.url),
          keepAlive: true,
          application_name: 'rosetta messages',
        });
        await client.connect();
        return client;
      };
      const messages = new Messages(connect, hasNotifications(system), log);
      await messages.start();
      return new PostgresEngine(relaxed, durable, messages);
    } catch (thrown) {
      await Promise.all([durable.end(), relaxed.end()]);
      if (thrown instanceof FormatError) throw thrown;
      throw new UnavailableError(`the database cannot be used: ${messageOf(thrown)}`, { cause: thrown });
    }
  }

  // --- reading --------------------------------------------------------------------------------------------------------

  async read<T>(body: (view: View) => T): Promise<T> {
    const context = this.context(0);
    // What one statement fetches is consistent by itself; a body that needs more runs on a snapshot.
    const fetched = new Fetched();
    const first = attempt(() => body(new FetchedView(fetched, context)));
    if ('value' in first) return first.value;
    await this.persist(() => this.fetch(this.durable, fetched, first.signal));
    const second = attempt(() => body(new FetchedView(fetched, context)));
    if ('value' in second) return second.value;
    return this.persist(() => this.readOnSnapshot(body, context, second.signal));
  }

  private async readOnSnapshot<T>(body: (view: View) => T, context: RunContext, wanted: NotFetched): Promise<T> {
    const snapshot = await SnapshotReader.open(this.durable);
    try {
      const fetched = new Fetched();
      fetched.announce(wanted.keys);
      return await this.runToEnd(snapshot.client, fetched, () => body(new FetchedView(fetched, context)));
    } finally {
      snapshot.close();
    }
  }

  /** Runs a body over and over until it finds everything. */
  private async runToEnd<T>(source: Queryable, fetched: Fetched, run: () => T): Promise<T> {
    for (;;) {
      const result = attempt(run);
      if ('value' in result) return result.value;
      await this.fetch(source, fetched, result.signal);
    }
  }

  private async fetch(source: Queryable, fetched: Fetched, signal: NotFetched): Promise<void> {
    const { keys, scan } = signal;
    if (keys.length > 0) {
      const { rows } = await source.query<Row>({
        name: 'rosetta-keys',
        text: selectKeys,
        values: [keys.map(keyBytes)],
      });
      for (const key of keys) fetched.keys.set(key, { value: undefined, version: 0 });
      for (const { key, value, version } of rows) {
        fetched.keys.set(key.latin1Slice(), { value, version: Number(version) });
      }
    }
    if (scan !== undefined) await fetchScan(source, scan);
  }

  // --- writing --------------------------------------------------------------------------------------------------------

  async write<T>(body: (tx: Transaction) => T, options: WriteOptions = {}): Promise<T> {
    const pool = options.durability === 'always' ? this.durable : this.relaxed;
    for (let tries = 1; ; tries++) {
      const context = this.context(await this.version());
      const fetched = new Fetched();
      try {
        const { value, writes } = await this.persist(() => this.runWrite(fetched, context, body));
        if (writes.empty || (await this.commit(pool, fetched, writes, context.version))) return value;
      } catch (thrown) {
        // A body that read from several moments may have seen what never was: only a confirmed view may complain.
        if (thrown instanceof BodyFailed) {
          if (fetched.keys.size + fetched.scans.size === 0 || (await this.stillTrue(fetched))) throw thrown.thrown;
        } else throw thrown;
      }
      this.conflicts++;
      if (tries === attemptsMax) throw new ConflictError();
      await pauseBetween(tries);
    }
  }

  private async runWrite<T>(
    fetched: Fetched,
    context: RunContext,
    body: (tx: Transaction) => T,
  ): Promise<{ value: T; writes: Writes }> {
    for (;;) {
      const tx = new FetchedTransaction(fetched, context);
      let signal: NotFetched;
      try {
        return { value: body(tx), writes: tx.writes };
      } catch (thrown) {
        if (!(thrown instanceof NotFetched)) throw new BodyFailed(thrown);
        signal = thrown;
      }
      await this.fetch(this.durable, fetched, signal);
    }
  }

  /** Whether everything that was read is still so. */
  private async stillTrue(fetched: Fetched): Promise<boolean> {
    return this.commit(this.durable, fetched, new Writes(), 0);
  }

  /** Commits; false when something that was read has changed. */
  async commit(pool: pg.Pool, fetched: Fetched, writes: Writes, version: number): Promise<boolean> {
    const statement = await this.statementOf(fetched, writes, version);
    try {
      const { rows } = await this.persist(
        () => pool.query<{ ok: string }>(statement),
        // After a lost connection nobody knows whether the commit took place; a transaction that only checks may be repeated.
        writes.empty,
      );
      const ok = rows[0]?.ok === '1';
      if (ok && !writes.empty) this.commits++;
      return ok;
    } catch (thrown) {
      const code = codeOf(thrown);
      if (code === '40001' || code === '40P01' || code === '23505') return false;
      throw thrown;
    }
  }

  private async statementOf(
    fetched: Fetched,
    writes: Writes,
    version: number,
  ): Promise<{ name: string; text: string; values: unknown[] }> {
    const readKeys = [...fetched.keys];
    const ranges = [...fetched.scans.values()].flatMap((scan) => {
      const range = coveredRange(scan);
      return range === undefined ? [] : [{ range, scan }];
    });
    const puts = [...writes.entries].filter((entry): entry is [Key, Buffer] => entry[1] !== undefined);
    const deletes = [...writes.entries].filter(([, value]) => value === undefined).map(([key]) => key);
    const texts = await this.messageTexts(writes);
    const parts = {
      reads: readKeys.length > 0,
      ranges: ranges.length > 0,
      deletes: deletes.length > 0,
      deletedRanges: writes.deletedRanges.length > 0,
      puts: puts.length > 0,
      adds: writes.adds.size > 0,
      messages:
        texts.length === 0 ? ('none' as const) : this.messages.notifications ? ('notify' as const) : ('table' as const),
    };
    const shard = Math.floor(Math.random() * counterShards);
    const values: Readonly<Record<string, unknown>> = {
      readKeys: readKeys.map(([key]) => keyBytes(key)),
      readVersions: readKeys.map(([, entry]) => entry.version),
      rangeStarts: ranges.map(({ range }) => keyBytes(range.start)),
      rangeEnds: ranges.map(({ range }) => keyBytes(range.end)),
      rangeCounts: ranges.map(({ scan }) => scan.entries.length),
      rangeSums: ranges.map(({ scan }) =>
        scan.entries.reduce((sum, entry) => sum + BigInt(entry.version), 0n).toString(),
      ),
      deletes: deletes.map(keyBytes),
      deletedStarts: writes.deletedRanges.map(({ start }) => keyBytes(start)),
      deletedEnds: writes.deletedRanges.map(({ end }) => keyBytes(end)),
      putKeys: puts.map(([key]) => keyBytes(key)),
      putValues: puts.map(([, value]) => value),
      version,
      addKeys: [...writes.adds.keys()].map(keyBytes),
      addShards: [...writes.adds.keys()].map(() => shard),
      addAmounts: [...writes.adds.values()],
      messages: texts,
    };
    const { text, parameters } = commitStatement(parts);
    return {
      name: `rosetta-commit-${Object.values(parts).map(String).join('-')}`,
      text,
      values: parameters.map((name) => values[name]),
    };
  }

  /** What notifications carry: the messages, or the numbers of those that are too long. */
  private async messageTexts(writes: Writes): Promise<string[]> {
    const texts: string[] = [];
    for (const { topic, message } of writes.messages) {
      const text = this.messages.encode(topic, message);
      if (!this.messages.notifications || this.messages.fits(text)) texts.push(text);
      else {
        const { rows } = await this.durable.query<{ id: string }>(
          'INSERT INTO rosetta_messages (payload) VALUES ($1) RETURNING id::text AS id',
          [text],
        );
        texts.push(`#${rows[0]?.id ?? ''}`);
      }
    }
    return texts;
  }

  settled(): undefined {
    return undefined;
  }

  // --- transactions and snapshots that last ---------------------------------------------------------------------------

  async begin(options: WriteOptions = {}): Promise<OpenTransaction> {
    const context = this.context(await this.version());
    const reader = await this.persist(() => SnapshotReader.open(this.durable));
    const fetched = new Fetched();
    let writes = new Writes();
    let ended = false;
    const end = (): void => {
      ended = true;
      reader.close();
    };
    return {
      run: async (body) => {
        if (ended) throw new Error('the transaction has ended');
        return this.runToEnd(reader.client, fetched, () => {
          const tx = new FetchedTransaction(fetched, { ...context, now: Date.now() }, writes.copy(), true);
          const value = body(tx);
          writes = tx.writes;
          return value;
        });
      },
      commit: async () => {
        if (ended) throw new Error('the transaction has ended');
        end();
        if (writes.empty && fetched.keys.size + fetched.scans.size === 0) return;
        const pool = options.durability === 'everysec' ? this.relaxed : this.durable;
        if (!(await this.commit(pool, fetched, writes, context.version))) {
          this.conflicts++;
          throw new ConflictError();
        }
      },
      abort: () => {
        if (!ended) end();
      },
    };
  }

  async snapshot(): Promise<Snapshot> {
    const reader = await this.persist(() => SnapshotReader.open(this.durable));
    const context = this.context(0);
    return {
      read: async (body) => {
        const fetched = new Fetched();
        return this.runToEnd(reader.client, fetched, () => body(new FetchedView(fetched, context)));
      },
      batches: (range, scanOptions = {}) => new SnapshotBatches(reader.client, range, scanOptions),
      close: () => reader.close(),
    };
  }

  // --- counters, messages, the rest -----------------------------------------------------------------------------------

  async counter(key: Key): Promise<number> {
    const { rows } = await this.persist(() =>
      this.durable.query<{ value: string }>({ name: 'rosetta-counter', text: selectCounter, values: [keyBytes(key)] }),
    );
    return Number(rows[0]?.value ?? 0);
  }

  subscribe(prefix: string, listener: (topic: string, message: Buffer) => void): Unsubscribe {
    return this.messages.subscribe(prefix, listener);
  }

  async publish(topic: string, message: Buffer): Promise<void> {
    await this.write((tx) => tx.publish(topic, message));
  }

  async backup(directory: string): Promise<void> {
    await writeBackup(await this.snapshot(), directory);
  }

  statistics(): EngineStatistics {
    return {
      kind: 'postgres',
      commits: this.commits,
      conflicts: this.conflicts,
      ...(this.refusing === undefined ? {} : { refusing: this.refusing }),
    };
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.messages.close();
    await Promise.all([this.relaxed.end(), this.durable.end()]);
  }

  private context(version: number): RunContext {
    return { now: Date.now(), seed: Math.floor(Math.random() * 2 ** 32), version };
  }

  /** A version nobody else has. */
  private async version(): Promise<number> {
    while (this.nextVersion > this.lastVersion) {
      this.reserving ??= this.reserve().finally(() => {
        this.reserving = undefined;
      });
      await this.reserving;
    }
    return this.nextVersion++;
  }

  private async reserve(): Promise<void> {
    const { rows } = await this.persist(() =>
      this.durable.query<{ block: string }>("SELECT nextval('rosetta_versions')::text AS block"),
    );
    this.nextVersion = Number(rows[0]?.block ?? 0) * versionBlock;
    this.lastVersion = this.nextVersion + versionBlock - 1;
  }

  /**
   * Repeats a request whose connection failed until the database is back or {@link unavailableMsMax} have passed; with
   * `repeatable` false only failures before anything was sent.
   */
  private async persist<T>(request: () => Promise<T>, repeatable = true): Promise<T> {
    const deadline = Date.now() + unavailableMsMax;
    for (let tries = 1; ; tries++) {
      try {
        const value = await request();
        this.refusing = undefined;
        return value;
      } catch (thrown) {
        const trouble = troubleOf(thrown);
        if (trouble === 'full') {
          this.refusing = messageOf(thrown);
          throw new StorageFullError(messageOf(thrown), { cause: thrown });
        }
        if (trouble === 'none') throw thrown;
        if (this.closing || Date.now() > deadline || !(repeatable || trouble === 'unsent')) {
          this.refusing = messageOf(thrown);
          throw new UnavailableError(messageOf(thrown), { cause: thrown });
        }
        await pauseBetween(tries + 5);
      }
    }
  }
}

/** What a body itself threw, told apart from what the database did. */
class BodyFailed extends Error {
  constructor(readonly thrown: unknown) {
    super('a transaction body failed');
  }
}

/** The result of a body, or what it lacks. */
function attempt<T>(run: () => T): { readonly value: T } | { readonly signal: NotFetched } {
  try {
    return { value: run() };
  } catch (thrown) {
    if (thrown instanceof NotFetched) return { signal: thrown };
    throw thrown;
  }
}

async function fetchScan(source: Queryable, scan: FetchedScan): Promise<void> {
  const last = scan.entries[scan.entries.length - 1];
  let { start, end } = scan.range;
  if (last !== undefined) {
    if (scan.reverse) end = last.key;
    else start = `${last.key}\0`;
  }
  const count = scan.nextFetch;
  const { rows } = await source.query<Row>({
    name: scan.reverse ? 'rosetta-range-reverse' : 'rosetta-range',
    text: selectRange(scan.reverse),
    values: [keyBytes(start), keyBytes(end), count],
  });
  for (const { key, value, version } of rows)
    scan.entries.push({ key: key.latin1Slice(), value, version: Number(version) });
  if (rows.length < count) scan.complete = true;
  scan.nextFetch = Math.min(scanFetchMax, Math.max(2 * count, 16));
}

/** A connection that holds one consistent, read-only state. */
class SnapshotReader {
  private open = true;

  private constructor(readonly client: pg.PoolClient) {}

  static async open(pool: pg.Pool): Promise<SnapshotReader> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      // The state is fixed by the first statement.
      await client.query('SELECT 1 FROM rosetta_meta LIMIT 1');
    } catch (thrown) {
      client.release(true);
      throw thrown;
    }
    return new SnapshotReader(client);
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.client.query('COMMIT').then(
      () => this.client.release(),
      () => this.client.release(true),
    );
  }
}

class SnapshotBatches implements Batches {
  private readonly scan: FetchedScan;
  private left: number;
  private readonly size: number;

  constructor(
    private readonly source: Queryable,
    range: Range,
    options: ScanOptions & { readonly batchSize?: number },
  ) {
    this.size = options.batchSize ?? 1000;
    this.left = options.limit ?? Number.POSITIVE_INFINITY;
    this.scan = {
      range,
      reverse: options.reverse === true,
      entries: [],
      complete: range.start >= range.end,
      nextFetch: this.size,
    };
  }

  async next(): Promise<readonly Entry[] | undefined> {
    if (this.scan.complete || this.left <= 0) return undefined;
    this.scan.nextFetch = Math.min(this.size, this.left);
    const last = this.scan.entries[this.scan.entries.length - 1];
    // Only the last entry is needed to go on from.
    this.scan.entries.length = 0;
    if (last !== undefined) this.scan.entries.push(last);
    await fetchScan(this.source, this.scan);
    const batch = this.scan.entries.slice(last === undefined ? 0 : 1);
    this.left -= batch.length;
    return batch.length === 0 ? undefined : batch;
  }

  close(): void {
    this.left = 0;
  }
}

async function prepareSchema(pool: pg.Pool): Promise<void> {
  const format = async (): Promise<number | undefined> => {
    const { rows } = await pool.query<{ value: string }>("SELECT value FROM rosetta_meta WHERE name = 'format'");
    return rows[0] === undefined ? undefined : Number(rows[0].value);
  };
  const known = await format().catch((thrown: unknown) => {
    if (codeOf(thrown) === '42P01') return undefined;
    throw thrown;
  });
  if (known !== undefined && known > schemaFormat) {
    throw new FormatError(`the database holds a store of format ${known}; this version knows ${schemaFormat}`);
  }
  if (known === schemaFormat) return;
  // Two servers may start on an empty database at once: whoever loses the race finds everything there.
  for (let tries = 1; ; tries++) {
    try {
      for (const statement of createSchema) await pool.query(statement);
      await pool.query("INSERT INTO rosetta_meta (name, value) VALUES ('format', $1) ON CONFLICT (name) DO NOTHING", [
        String(schemaFormat),
      ]);
      return;
    } catch (thrown) {
      if (tries === 10) throw thrown;
      await pauseBetween(tries + 5);
    }
  }
}

/** The URL of the first host that is up and, with target_session_attrs=read-write, takes writes. */
async function reachableUrl(url: string): Promise<string> {
  const match = /^(\w+:\/\/(?:[^@/]*@)?)([^/?]+)(.*)$/.exec(url);
  const hosts = match?.[2]?.split(',') ?? [];
  if (match === null || hosts.length < 2) return url;
  const writable = /target_session_attrs=(read-write|primary)/.test(url);
  const rest = (match[3] ?? '').replace(/([?&])target_session_attrs=[^&]*&?/, '$1').replace(/[?&]$/, '');
  let last: unknown;
  for (const host of hosts) {
    const one = `${match[1] ?? ''}${host}${rest}`;
    const client = new pg.Client({ connectionString: one, connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
      if (!writable || rows[0]?.standby === false) return one;
    } catch (thrown) {
      last = thrown;
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw new UnavailableError(`no host of the database takes writes: ${messageOf(last)}`);
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.message !== '' ? thrown.message : codeOf(thrown) || String(thrown);
}

/** `full`: no room; `unsent`: the connection could not be made; `lost`: it broke; `none`: something else. */
function troubleOf(thrown: unknown): 'full' | 'unsent' | 'lost' | 'none' {
  const code = codeOf(thrown);
  if (code === '53100' || code === '53200') return 'full';
  if (['ECONNREFUSED', 'ENOENT', '57P03', '53300', 'EHOSTUNREACH', 'ENOTFOUND'].includes(code)) return 'unsent';
  if (code === '25006') return 'unsent';
  if (/^(08|57P)/.test(code) || ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code)) return 'lost';
  if (
    thrown instanceof Error &&
    /connection terminated|timeout exceeded when trying to connect|not queryable/i.test(thrown.message)
  )
    return 'lost';
  return 'none';
}

/** Grows with the number of tries, and differs between competitors. */
async function pauseBetween(tries: number): Promise<void> {
  const ms = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(tries - 1, 10)) * (0.5 + Math.random());
  await new Promise((resolve) => setTimeout(resolve, ms));
}
