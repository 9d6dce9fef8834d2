/**
 * Which key goes when memory is short: the worst of a few sampled ones, by the policies of Redis. See
 * redis.io/docs/reference/eviction.
 */
import { EventClass } from './changes.js';
import type { Database } from './database.js';
import { randomKey } from './keys.js';
import { deadlinePrefix, type KeyRecord, keyHash } from './record.js';

export type EvictionPolicy =
  | 'noeviction'
  | 'allkeys-lru'
  | 'allkeys-lfu'
  | 'allkeys-random'
  | 'volatile-lru'
  | 'volatile-lfu'
  | 'volatile-random'
  | 'volatile-ttl';

/** Random keys looked at for one that has a deadline before the one that ends first is taken. */
const volatileTriesMax = 32;

/** Removes one key of the database; false when none may go. */
export function evictOne(db: Database, policy: EvictionPolicy, samples: number): boolean {
  const victim = choose(db, policy, samples);
  if (victim === undefined) return false;
  db.remove(victim);
  db.changed(victim.key, EventClass.evicted, 'evicted');
  return true;
}

function choose(db: Database, policy: EvictionPolicy, samples: number): KeyRecord | undefined {
  if (policy === 'noeviction') return undefined;
  if (policy === 'volatile-ttl') return firstToExpire(db);
  const volatile = policy.startsWith('volatile');
  let worst: KeyRecord | undefined;
  let worstBadness = Number.NEGATIVE_INFINITY;
  const wanted = policy.endsWith('random') ? 1 : samples;
  const { noTouch } = db;
  db.noTouch = true;
  try {
    let found = 0;
    for (let tries = 0; found < wanted && tries < (volatile ? volatileTriesMax : wanted); tries++) {
      const key = randomKey(db);
      const record = key === undefined ? undefined : db.find(key);
      if (record === undefined) return undefined;
      if (volatile && record.deadline === 0) continue;
      found++;
      const badness = badnessOf(db, record, policy);
      if (badness > worstBadness) {
        worst = record;
        worstBadness = badness;
      }
    }
  } finally {
    db.noTouch = noTouch;
  }
  return worst ?? (volatile ? firstToExpire(db) : undefined);
}

function badnessOf(db: Database, record: KeyRecord, policy: EvictionPolicy): number {
  const { access } = db.store;
  if (policy.endsWith('lru')) return access.idleSeconds(keyHash(record.key));
  return policy.endsWith('lfu') ? -access.frequencyOf(keyHash(record.key)) : 0;
}

/** The key of this database whose deadline comes first. */
function firstToExpire(db: Database): KeyRecord | undefined {
  const prefixBytes = deadlinePrefix.length + 10;
  for (const { key } of db.tx.scan({ start: deadlinePrefix, end: `${deadlinePrefix}\xff` })) {
    const record = db.find(key.slice(prefixBytes));
    if (record !== undefined && record.deadline !== 0) return record;
  }
  return undefined;
}
