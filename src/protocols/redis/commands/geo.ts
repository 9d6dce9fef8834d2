/** GEOADD, GEOPOS, GEODIST, GEOHASH, GEOSEARCH, GEORADIUS: sorted sets whose scores are geohashes. */
import { EventClass } from '../../../models/key-value/changes.js';
import {
  coveringRanges,
  distance,
  distanceInBox,
  geohashScore,
  geohashText,
  latitudeMax,
  type Position,
  positionOf,
} from '../../../models/key-value/geohash.js';
import type { KeyRecord } from '../../../models/key-value/record.js';
import {
  changeScores,
  findZset,
  type ScoredMember,
  scoreOf,
  sortableScore,
  storeZset,
  zsetBetween,
} from '../../../models/key-value/zsets.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { formatLongDouble, parseLongDouble } from '../long-double.js';
import { parseIntegerText, parseScore } from '../numbers.js';

const units: Readonly<Record<string, number>> = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 };

function readUnit(c: CommandContext, index: number): number {
  const meters = units[c.request.lower(index)];
  if (meters === undefined) throw new RedisError('ERR unsupported unit provided. please use M, KM, FT, MI');
  return meters;
}

function readPosition(c: CommandContext, index: number): Position {
  const longitude = c.request.float(index);
  const latitude = c.request.float(index + 1);
  if (Math.abs(longitude) > 180 || Math.abs(latitude) > latitudeMax) {
    throw new RedisError(`ERR invalid longitude,latitude pair ${longitude.toFixed(6)},${latitude.toFixed(6)}`);
  }
  return { longitude, latitude };
}

function geoadd(c: CommandContext): void {
  const { request, db } = c;
  let nx = false;
  let xx = false;
  let ch = false;
  let i = 2;
  for (; i < request.count; i++) {
    if (request.is(i, 'nx')) nx = true;
    else if (request.is(i, 'xx')) xx = true;
    else if (request.is(i, 'ch')) ch = true;
    else break;
  }
  if ((request.count - i) % 3 !== 0 || (nx && xx)) throw syntaxError();
  const pairs: ScoredMember[] = [];
  for (; i < request.count; i += 3) {
    pairs.push({ score: geohashScore(readPosition(c, i)), member: request.text(i + 2) });
  }
  const key = request.text(1);
  const record = findZset(db, key);
  if (record === undefined && (xx || pairs.length === 0)) {
    c.reply.integer(0);
    return;
  }
  const { added, updated } = changeScores(db, key, record, pairs, (_member, old, wanted) =>
    old === undefined ? (xx ? undefined : wanted) : nx ? undefined : wanted,
  );
  if (added + updated > 0) db.changed(key, EventClass.zset, 'zadd');
  c.reply.integer(ch ? added + updated : added);
}

/** A coordinate as GEOPOS prints it: 17 decimals without trailing zeros. */
function coordinate(value: number): string {
  const exact = parseLongDouble(value.toExponential(25));
  return exact === undefined ? String(value) : formatLongDouble(exact);
}

function writePosition(c: CommandContext, { longitude, latitude }: Position): void {
  c.reply.array(2);
  for (const value of [longitude, latitude]) {
    if (c.reply.protocol === 3) c.reply.double(value);
    else c.reply.bulkText(coordinate(value));
  }
}

function geopos(c: CommandContext): void {
  const record = findZset(c.db, c.request.text(1));
  c.reply.array(c.request.count - 2);
  for (let i = 2; i < c.request.count; i++) {
    const score = record === undefined ? undefined : scoreOf(c.db, record, c.request.text(i));
    if (score === undefined) c.reply.nullArray();
    else writePosition(c, positionOf(score));
  }
}

function geohash(c: CommandContext): void {
  const record = findZset(c.db, c.request.text(1));
  c.reply.array(c.request.count - 2);
  for (let i = 2; i < c.request.count; i++) {
    const score = record === undefined ? undefined : scoreOf(c.db, record, c.request.text(i));
    if (score === undefined) c.reply.null();
    else c.reply.bulkText(geohashText(score));
  }
}

function geodist(c: CommandContext): void {
  const { request, db, reply } = c;
  if (request.count > 5) throw syntaxError();
  const unit = request.count === 5 ? readUnit(c, 4) : 1;
  const record = findZset(db, request.text(1));
  const scores = [2, 3].map((i) => (record === undefined ? undefined : scoreOf(db, record, request.text(i))));
  const [a, b] = scores;
  if (a === undefined || b === undefined) reply.null();
  else reply.bulkText((distance(positionOf(a), positionOf(b)) / unit).toFixed(4));
}

// --- searches ---------------------------------------------------------------------------------------------------------

interface Search {
  center: Position | undefined;
  fromMember: string | undefined;
  shape: { readonly radius: number } | { readonly width: number; readonly height: number } | undefined;
  unit: number;
  order: 'asc' | 'desc' | undefined;
  count: number;
  any: boolean;
  withCoord: boolean;
  withDist: boolean;
  withHash: boolean;
  store: string | undefined;
  storeDist: boolean;
}

const emptySearch = (): Search => ({
  center: undefined,
  fromMember: undefined,
  shape: undefined,
  unit: 1,
  order: undefined,
  count: 0,
  any: false,
  withCoord: false,
  withDist: false,
  withHash: false,
  store: undefined,
  storeDist: false,
});

function readLength(c: CommandContext, index: number, what: string): number {
  const value = parseScore(c.request.text(index));
  if (value === undefined) throw new RedisError(`ERR need numeric ${what}`);
  if (value < 0)
    throw new RedisError(
      what === 'radius' ? 'ERR radius cannot be negative' : 'ERR height or width cannot be negative',
    );
  return value;
}

type Form = 'geosearch' | 'geosearchstore' | 'georadius' | 'georadius_ro';

function readOptions(c: CommandContext, search: Search, from: number, form: Form): void {
  const { request } = c;
  const searching = form === 'geosearch' || form === 'geosearchstore';
  for (let i = from; i < request.count; i++) {
    const left = request.count - 1 - i;
    const option = request.lower(i);
    if (option === 'withdist') search.withDist = true;
    else if (option === 'withhash') search.withHash = true;
    else if (option === 'withcoord') search.withCoord = true;
    else if (option === 'any') search.any = true;
    else if (option === 'asc' || option === 'desc') search.order = option;
    else if (option === 'count' && left >= 1) {
      const count = parseIntegerText(request.text(++i));
      if (count === undefined) throw new RedisError('ERR value is not an integer or out of range');
      if (count <= 0) throw new RedisError('ERR COUNT must be > 0');
      search.count = Number(count);
    } else if (form === 'georadius' && (option === 'store' || option === 'storedist') && left >= 1) {
      search.store = request.text(++i);
      search.storeDist = option === 'storedist';
    } else if (
      searching &&
      option === 'frommember' &&
      left >= 1 &&
      search.center === undefined &&
      search.fromMember === undefined
    ) {
      search.fromMember = request.text(++i);
    } else if (
      searching &&
      option === 'fromlonlat' &&
      left >= 2 &&
      search.center === undefined &&
      search.fromMember === undefined
    ) {
      search.center = readPosition(c, i + 1);
      i += 2;
    } else if (searching && option === 'byradius' && left >= 2 && search.shape === undefined) {
      const radius = readLength(c, i + 1, 'radius');
      search.unit = readUnit(c, i + 2);
      search.shape = { radius: radius * search.unit };
      i += 2;
    } else if (searching && option === 'bybox' && left >= 3 && search.shape === undefined) {
      const width = readLength(c, i + 1, 'width');
      const height = readLength(c, i + 2, 'height');
      search.unit = readUnit(c, i + 3);
      search.shape = { width: width * search.unit, height: height * search.unit };
      i += 3;
    } else if (form === 'geosearchstore' && option === 'storedist') search.storeDist = true;
    else throw syntaxError();
  }
  if (search.store !== undefined && (search.withDist || search.withHash || search.withCoord)) {
    const name = form === 'georadius' ? 'STORE option in GEORADIUS' : 'GEOSEARCHSTORE';
    throw new RedisError(`ERR ${name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`);
  }
  if (searching && search.center === undefined && search.fromMember === undefined) {
    throw new RedisError(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${request.lower(0)}`);
  }
  if (searching && search.shape === undefined) {
    throw new RedisError(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${request.lower(0)}`);
  }
  if (search.any && search.count === 0) throw new RedisError('ERR the ANY argument requires COUNT argument');
}

interface Found extends ScoredMember {
  readonly meters: number;
}

function find(c: CommandContext, record: KeyRecord, search: Search): Found[] {
  const { db } = c;
  let { center } = search;
  if (search.fromMember !== undefined) {
    const score = scoreOf(db, record, search.fromMember);
    if (score === undefined) throw new RedisError('ERR could not decode requested zset member');
    center = positionOf(score);
  }
  const { shape } = search;
  if (center === undefined || shape === undefined) return [];
  const reach = 'radius' in shape ? shape.radius : Math.sqrt((shape.width / 2) ** 2 + (shape.height / 2) ** 2);
  const found: Found[] = [];
  for (const { min, max } of coveringRanges(center, reach)) {
    for (const { member, score } of zsetBetween(db, record, sortableScore(min), sortableScore(max))) {
      const position = positionOf(score);
      const meters =
        'radius' in shape ? distance(center, position) : distanceInBox(center, shape.width, shape.height, position);
      if (meters === undefined || ('radius' in shape && meters > shape.radius)) continue;
      found.push({ member, score, meters });
      if (search.any && found.length === search.count) return found;
    }
  }
  return found;
}

function answer(c: CommandContext, key: string, search: Search): void {
  const { db, reply } = c;
  const record = findZset(db, key);
  let found = record === undefined ? [] : find(c, record, search);
  const order = search.order ?? (search.count > 0 && !search.any ? 'asc' : undefined);
  if (order !== undefined) found.sort((a, b) => (order === 'asc' ? a.meters - b.meters : b.meters - a.meters));
  if (search.count > 0) found = found.slice(0, search.count);
  if (search.store !== undefined) {
    storeFound(c, search.store, found, search);
    return;
  }
  const extras = Number(search.withDist) + Number(search.withHash) + Number(search.withCoord);
  reply.array(found.length);
  for (const { member, score, meters } of found) {
    if (extras > 0) reply.array(1 + extras);
    reply.bulkText(member);
    if (search.withDist) reply.bulkText((meters / search.unit).toFixed(4));
    if (search.withHash) reply.integer(score);
    if (search.withCoord) writePosition(c, positionOf(score));
  }
}

function storeFound(c: CommandContext, target: string, found: readonly Found[], search: Search): void {
  const { db } = c;
  const old = db.find(target);
  if (found.length === 0) {
    if (old !== undefined) {
      db.remove(old);
      db.changed(target, EventClass.generic, 'del');
    }
  } else {
    const entries = found.map(({ member, score, meters }) => ({
      member,
      score: search.storeDist ? meters / search.unit : score,
    }));
    storeZset(db, target, old, entries);
    db.changed(
      target,
      EventClass.zset,
      c.request.lower(0).startsWith('georadius') ? 'georadiusstore' : 'geosearchstore',
    );
  }
  c.reply.integer(found.length);
}

function geosearch(c: CommandContext): void {
  const search = emptySearch();
  readOptions(c, search, 2, 'geosearch');
  answer(c, c.request.text(1), search);
}

function geosearchstore(c: CommandContext): void {
  const search = emptySearch();
  search.store = c.request.text(1);
  readOptions(c, search, 3, 'geosearchstore');
  answer(c, c.request.text(2), search);
}

function georadius(byMember: boolean, readOnly: boolean) {
  return (c: CommandContext): void => {
    const search = emptySearch();
    const at = byMember ? 3 : 4;
    if (byMember) search.fromMember = c.request.text(2);
    else search.center = readPosition(c, 2);
    const radius = readLength(c, at, 'radius');
    search.unit = readUnit(c, at + 1);
    search.shape = { radius: radius * search.unit };
    readOptions(c, search, at + 2, readOnly ? 'georadius_ro' : 'georadius');
    answer(c, c.request.text(1), search);
  };
}

export const geoCommands: Commands = {
  geoadd,
  geopos,
  geohash,
  geodist,
  geosearch,
  geosearchstore,
  georadius: georadius(false, false),
  georadius_ro: georadius(false, true),
  georadiusbymember: georadius(true, false),
  georadiusbymember_ro: georadius(true, true),
};
