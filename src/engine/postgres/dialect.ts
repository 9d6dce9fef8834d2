/**
 * The SQL of the store, and the only place that knows which of the systems behind PostgreSQL's protocol it speaks to.
 *
 *   rosetta_entries    every record: key, value, and the version of the transaction that wrote it last
 *   rosetta_counters   counters in shards, so that transactions that add to one do not meet
 *   rosetta_messages   messages that are too long for a notification, or all of them where there are none
 *   rosetta_meta       format of the schema
 *   rosetta_versions   a sequence: blocks of transaction versions
 */
export type System = 'postgresql' | 'cockroachdb' | 'yugabytedb';

export const schemaFormat = 1;

/** Which system answered `SELECT version()`. */
export function systemOf(version: string): System {
  if (/cockroach/i.test(version)) return 'cockroachdb';
  return /-YB-/i.test(version) ? 'yugabytedb' : 'postgresql';
}

/** Whether LISTEN and NOTIFY exist; elsewhere messages are polled for. */
export function hasNotifications(system: System): boolean {
  return system === 'postgresql';
}

export const createSchema: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS rosetta_meta (name text PRIMARY KEY, value text NOT NULL)',
  'CREATE TABLE IF NOT EXISTS rosetta_entries (key bytea PRIMARY KEY, value bytea NOT NULL, version bigint NOT NULL)',
  'CREATE TABLE IF NOT EXISTS rosetta_counters (key bytea NOT NULL, shard int NOT NULL, value bigint NOT NULL, PRIMARY KEY (key, shard))',
  'CREATE TABLE IF NOT EXISTS rosetta_messages (id bigserial PRIMARY KEY, payload text NOT NULL, created timestamptz NOT NULL DEFAULT now())',
  'CREATE SEQUENCE IF NOT EXISTS rosetta_versions',
];

export const channel = 'rosetta';

export const selectKeys = 'SELECT key, value, version FROM rosetta_entries WHERE key = ANY($1::bytea[])';

export function selectRange(reverse: boolean): string {
  return `SELECT key, value, version FROM rosetta_entries WHERE key >= $1 AND key < $2 ORDER BY key ${reverse ? 'DESC' : 'ASC'} LIMIT $3`;
}

export const selectCounter = 'SELECT coalesce(sum(value), 0)::text AS value FROM rosetta_counters WHERE key = $1';

/**
 * One statement that commits a transaction: it writes only if everything the transaction has read is still as it was.
 * Run as a serializable transaction of its own, so that nobody can change what it checks while it writes.
 *
 *   $1, $2            keys that were read, and their versions (0: missing)
 *   $3, $4, $5, $6    ranges that were read: start, end, number of entries, sum of their versions
 *   $7                keys to delete
 *   $8, $9            ranges to delete
 *   $10, $11, $12     keys to put, their values, the transaction's version
 *   $13, $14, $15     counters to add to, their shards, the amounts
 *   $16               messages to send
 */
export function commitStatement(parts: {
  readonly reads: boolean;
  readonly ranges: boolean;
  readonly deletes: boolean;
  readonly deletedRanges: boolean;
  readonly puts: boolean;
  readonly adds: boolean;
  readonly messages: 'none' | 'notify' | 'table';
}): { readonly text: string; readonly parameters: readonly string[] } {
  const parameters: string[] = [];
  const parameter = (name: string): string => {
    const known = parameters.indexOf(name);
    if (known >= 0) return `$${known + 1}`;
    parameters.push(name);
    return `$${parameters.length}`;
  };
  const conditions: string[] = [];
  if (parts.reads) {
    conditions.push(
      `NOT EXISTS (SELECT 1 FROM unnest(${parameter('readKeys')}::bytea[], ${parameter('readVersions')}::bigint[]) AS r(k, v) LEFT JOIN rosetta_entries e ON e.key = r.k WHERE coalesce(e.version, 0) <> r.v)`,
    );
  }
  if (parts.ranges) {
    conditions.push(
      `NOT EXISTS (SELECT 1 FROM unnest(${parameter('rangeStarts')}::bytea[], ${parameter('rangeEnds')}::bytea[], ${parameter('rangeCounts')}::bigint[], ${parameter('rangeSums')}::numeric[]) AS r(s, e, c, v) WHERE (SELECT count(*) FROM rosetta_entries x WHERE x.key >= r.s AND x.key < r.e) <> r.c OR (SELECT coalesce(sum(x.version), 0) FROM rosetta_entries x WHERE x.key >= r.s AND x.key < r.e) <> r.v)`,
    );
  }
  const clauses = [`ok AS (SELECT 1 AS one${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''})`];
  if (parts.deletes) {
    clauses.push(
      `d AS (DELETE FROM rosetta_entries WHERE key = ANY(${parameter('deletes')}::bytea[]) AND EXISTS (SELECT 1 FROM ok))`,
    );
  }
  if (parts.deletedRanges) {
    const kept = parts.puts ? ` AND NOT (rosetta_entries.key = ANY(${parameter('putKeys')}::bytea[]))` : '';
    const others = parts.deletes ? ` AND NOT (rosetta_entries.key = ANY(${parameter('deletes')}::bytea[]))` : '';
    clauses.push(
      `dr AS (DELETE FROM rosetta_entries USING unnest(${parameter('deletedStarts')}::bytea[], ${parameter('deletedEnds')}::bytea[]) AS r(s, e) WHERE rosetta_entries.key >= r.s AND rosetta_entries.key < r.e${kept}${others} AND EXISTS (SELECT 1 FROM ok))`,
    );
  }
  if (parts.puts) {
    clauses.push(
      `p AS (INSERT INTO rosetta_entries (key, value, version) SELECT k, v, ${parameter('version')}::bigint FROM unnest(${parameter('putKeys')}::bytea[], ${parameter('putValues')}::bytea[]) AS n(k, v) WHERE EXISTS (SELECT 1 FROM ok) ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version)`,
    );
  }
  if (parts.adds) {
    clauses.push(
      `a AS (INSERT INTO rosetta_counters AS c (key, shard, value) SELECT k, s, v FROM unnest(${parameter('addKeys')}::bytea[], ${parameter('addShards')}::int[], ${parameter('addAmounts')}::bigint[]) AS n(k, s, v) WHERE EXISTS (SELECT 1 FROM ok) ON CONFLICT (key, shard) DO UPDATE SET value = c.value + excluded.value)`,
    );
  }
  if (parts.messages === 'table') {
    clauses.push(
      `m AS (INSERT INTO rosetta_messages (payload) SELECT t FROM unnest(${parameter('messages')}::text[]) AS n(t) WHERE EXISTS (SELECT 1 FROM ok))`,
    );
  }
  const result =
    parts.messages === 'notify'
      ? `SELECT (SELECT count(*) FROM ok) AS ok, (SELECT count(pg_notify('${channel}', t)) FROM unnest(${parameter('messages')}::text[]) AS n(t) WHERE EXISTS (SELECT 1 FROM ok)) AS sent`
      : 'SELECT (SELECT count(*) FROM ok) AS ok';
  return { text: `WITH ${clauses.join(', ')} ${result}`, parameters };
}
