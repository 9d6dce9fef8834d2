/**
 * Keys of geospatial indexes: the cell of a point on a grid of longitude and latitude, bit by bit, so that near points
 * share the beginning of their keys; a shape that is no point has the key of the whole world.
 */
import { Doc, valueAt } from '../bson/document.js';
import { BsonType, int32At, skipName, skipValue } from '../bson/raw.js';
import { isArrayValue, type Value } from '../bson/types.js';
import { DocumentError } from '../errors.js';
import { numberOf } from '../scalars.js';
import type { IndexKeys, IndexPart } from './index.js';
import { invert } from './number-keys.js';
import { pathKeys, placeOf } from './path-keys.js';
import { Kind, NULL_KEY } from './value-keys.js';

const GEO_TYPES = new Set([
  'Point',
  'LineString',
  'Polygon',
  'MultiPoint',
  'MultiLineString',
  'MultiPolygon',
  'GeometryCollection',
]);
const CELL_BYTES = 8;
const CELL = String.fromCharCode(Kind.binary);
/** Key of shapes that cover more than a cell. */
export const WORLD_KEY = `${CELL}\0`;

/** The values at the end of a path, arrays of documents crossed. */
function valuesAt(document: Buffer, at: number, parts: readonly string[]): Value[] {
  const place = placeOf(document, at, parts[0] ?? '');
  if (place === undefined) return [];
  const rest = parts.slice(1);
  if (rest.length === 0) return [valueAt(document, place.type, place.offset)];
  if (place.type === BsonType.object) return valuesAt(document, place.offset, rest);
  if (place.type !== BsonType.array) return [];
  const found: Value[] = [];
  const end = place.offset + int32At(document, place.offset) - 1;
  let position = place.offset + 4;
  while (position < end) {
    const type = document[position] ?? 0;
    const content = skipName(document, position + 1);
    if (type === BsonType.object) found.push(...valuesAt(document, content, rest));
    position = skipValue(document, type, content);
  }
  return found;
}

function numbersOf(value: Value): [number, number] | undefined {
  const list = isArrayValue(value) ? value : value instanceof Doc ? [value.at(0) ?? null, value.at(1) ?? null] : [];
  const x = numberOf(list[0]);
  const y = numberOf(list[1]);
  return x === undefined || y === undefined ? undefined : [x, y];
}

/** A cell of 2^-32 of the ranges, interleaved: 8 bytes. */
export function cellKey(x: number, y: number, min: number, max: number): string {
  const scale = (value: number, from: number, to: number): bigint =>
    BigInt(Math.min(0xffff_ffff, Math.max(0, Math.floor(((value - from) / (to - from)) * 0x1_0000_0000))));
  let column = scale(x, min, max);
  let row = scale(y, min === -180 && max === 180 ? -180 : min, max);
  let cell = 0n;
  for (let bit = 0n; bit < 32n; bit++) {
    cell |= ((column & 1n) << (2n * bit + 1n)) | ((row & 1n) << (2n * bit));
    column >>= 1n;
    row >>= 1n;
  }
  const bytes = Buffer.alloc(CELL_BYTES);
  bytes.writeBigUInt64BE(cell);
  return CELL + bytes.latin1Slice();
}

function sphereKeys(value: Value, document: Buffer): string[] {
  if (value === null) return [];
  if (value instanceof Doc && typeof value.get('type') === 'string') {
    const type = value.get('type') as string;
    const coordinates = value.get('coordinates');
    if (!GEO_TYPES.has(type)) throw badShape(`unknown GeoJSON type: ${type}`, document);
    if (type !== 'Point') return [WORLD_KEY];
    const point = coordinates === undefined ? undefined : numbersOf(coordinates);
    if (point === undefined) throw badShape('Point must only contain numeric elements', document);
    checkLongitudeLatitude(point, document);
    return [cellKey(point[0], point[1], -180, 180)];
  }
  const point = numbersOf(value);
  if (point !== undefined) {
    checkLongitudeLatitude(point, document);
    return [cellKey(point[0], point[1], -180, 180)];
  }
  if (isArrayValue(value)) return value.flatMap((element) => sphereKeys(element, document));
  throw badShape('unknown GeoJSON type', document);
}

function checkLongitudeLatitude([x, y]: [number, number], document: Buffer): void {
  if (Math.abs(x) > 180 || Math.abs(y) > 90) {
    throw badShape(`longitude/latitude is out of bounds, lng: ${x} lat: ${y}`, document);
  }
}

function badShape(reason: string, document: Buffer): DocumentError {
  const id = Doc.fromBytes(document).get('_id');
  const shown = typeof id === 'number' || typeof id === 'string' ? JSON.stringify(id) : '...';
  return new DocumentError(16755, `Can't extract geo keys: { _id: ${shown} }  ${reason}`);
}

function planeKeys(value: Value, geo: Readonly<Record<string, number>>): string[] {
  const min = geo.min ?? -180;
  const max = geo.max ?? 180;
  const point = numbersOf(value);
  if (point === undefined) {
    if (isArrayValue(value)) return value.flatMap((element) => planeKeys(element, geo));
    throw new DocumentError(13068, 'geo field has non-number or is empty');
  }
  for (const coordinate of point) {
    if (coordinate < min || coordinate > max) {
      throw new DocumentError(
        13027,
        `point not in interval of [ ${min}, ${max} ] :: caused by :: { 0: ${point[0]}, 1: ${point[1]} }`,
      );
    }
  }
  return [cellKey(point[0], point[1], min, max)];
}

export function geoKeys(
  document: Buffer,
  parts: readonly IndexPart[],
  kind: '2dsphere' | '2d',
  sparse: boolean,
  geo: Readonly<Record<string, number>>,
): IndexKeys {
  let combinations: string[] = [''];
  let anyGeo = false;
  for (const part of parts) {
    let keys: string[];
    if (part.kind === kind) {
      const values = valuesAt(document, 0, part.parts);
      keys = [
        ...new Set(values.flatMap((value) => (kind === '2d' ? planeKeys(value, geo) : sphereKeys(value, document)))),
      ];
      if (keys.length > 0) anyGeo = true;
      else if (kind === '2d') return { keys: [], multikey: undefined };
      else keys = [NULL_KEY];
    } else {
      keys = pathKeys(document, [part]).keys.map((values) => values[0] ?? NULL_KEY);
    }
    const own = part.descending ? keys.map(invert) : keys;
    combinations = combinations.flatMap((prefix) => own.map((key) => prefix + key));
  }
  const only = parts.every((part) => part.kind === kind);
  if (!anyGeo && (sparse || only || kind === '2dsphere')) return { keys: [], multikey: undefined };
  return { keys: combinations, multikey: combinations.length > 1 ? parts.map(() => 1) : undefined };
}
