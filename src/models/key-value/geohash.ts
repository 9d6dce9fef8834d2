/** Redis' geohashes: 52 bits, 26 of the longitude and 26 of the latitude, interleaved, as a sorted set's score. */
const longitudeMax = 180;
export const latitudeMax = 85.05112878;
const steps = 26;
const earthRadiusMeters = 6372797.560856;

export interface Position {
  readonly longitude: number;
  readonly latitude: number;
}

function spread(value: number): bigint {
  let x = BigInt(value);
  x = (x | (x << 16n)) & 0x0000ffff0000ffffn;
  x = (x | (x << 8n)) & 0x00ff00ff00ff00ffn;
  x = (x | (x << 4n)) & 0x0f0f0f0f0f0f0f0fn;
  x = (x | (x << 2n)) & 0x3333333333333333n;
  return (x | (x << 1n)) & 0x5555555555555555n;
}

function squash(value: bigint): number {
  let x = value & 0x5555555555555555n;
  x = (x | (x >> 1n)) & 0x3333333333333333n;
  x = (x | (x >> 2n)) & 0x0f0f0f0f0f0f0f0fn;
  x = (x | (x >> 4n)) & 0x00ff00ff00ff00ffn;
  x = (x | (x >> 8n)) & 0x0000ffff0000ffffn;
  return Number((x | (x >> 16n)) & 0x00000000ffffffffn);
}

function encodeWithin({ longitude, latitude }: Position, latitudeRange: number): bigint {
  const scale = 2 ** steps;
  const lat = Math.floor(((latitude + latitudeRange) / (2 * latitudeRange)) * scale);
  const lon = Math.floor(((longitude + longitudeMax) / (2 * longitudeMax)) * scale);
  return spread(lat) | (spread(lon) << 1n);
}

/** The score of a position. */
export function geohashScore(position: Position): number {
  return Number(encodeWithin(position, latitudeMax));
}

/** The middle of the cell that a score names. */
export function positionOf(score: number): Position {
  const bits = BigInt(Math.trunc(score));
  const lat = squash(bits);
  const lon = squash(bits >> 1n);
  const scale = 2 ** steps;
  const low = (value: number, range: number): number => -range + (value / scale) * 2 * range;
  const middle = (value: number, range: number): number => (low(value, range) + low(value + 1, range)) / 2;
  return {
    longitude: Math.max(-longitudeMax, Math.min(longitudeMax, middle(lon, longitudeMax))),
    latitude: Math.max(-latitudeMax, Math.min(latitudeMax, middle(lat, latitudeMax))),
  };
}

const alphabet = '0123456789bcdefghjkmnpqrstuvwxyz';

/** The usual text of eleven characters, on the usual range of latitudes. */
export function geohashText(score: number): string {
  const bits = encodeWithin(positionOf(score), 90);
  let text = '';
  for (let i = 0; i < 11; i++) {
    const index = i === 10 ? 0 : Number((bits >> BigInt(52 - (i + 1) * 5)) & 31n);
    text += alphabet[index] ?? '0';
  }
  return text;
}

const degree = Math.PI / 180;
const radians = (degrees: number): number => degrees * degree;

/** Metres along the great circle (haversine). */
export function distance(a: Position, b: Position): number {
  const lat1 = radians(a.latitude);
  const lat2 = radians(b.latitude);
  const v = Math.sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (v === 0) return earthRadiusMeters * Math.abs(lat2 - lat1);
  const u = Math.sin((lat2 - lat1) / 2);
  return 2 * earthRadiusMeters * Math.asin(Math.sqrt(u * u + Math.cos(lat1) * Math.cos(lat2) * v * v));
}

/** Whether a position lies in a box of so many metres around a centre; its distance when it does. */
export function distanceInBox(
  center: Position,
  widthMeters: number,
  heightMeters: number,
  position: Position,
): number | undefined {
  const vertical = earthRadiusMeters * Math.abs(radians(position.latitude) - radians(center.latitude));
  if (vertical > heightMeters / 2) return undefined;
  const horizontal = distance({ longitude: center.longitude, latitude: position.latitude }, position);
  if (horizontal > widthMeters / 2) return undefined;
  return distance(center, position);
}

/**
 * Score ranges `[min, max)` that cover everything within `radiusMeters`: the cell of the centre and its neighbours, in the
 * order in which Redis visits them, at the depth where a cell is as large as the area.
 */
export function coveringRanges(
  center: Position,
  radiusMeters: number,
): { readonly min: number; readonly max: number }[] {
  const step = stepFor(radiusMeters, center.latitude);
  const scale = 2 ** step;
  const lat = Math.min(scale - 1, Math.floor(((center.latitude + latitudeMax) / (2 * latitudeMax)) * scale));
  const lon = Math.min(scale - 1, Math.floor(((center.longitude + longitudeMax) / (2 * longitudeMax)) * scale));
  const shift = BigInt(2 * (steps - step));
  const seen = new Set<bigint>();
  const ranges: { min: number; max: number }[] = [];
  const order: readonly (readonly [number, number])[] = [
    [0, 0],
    [0, 1],
    [0, -1],
    [1, 0],
    [-1, 0],
    [1, 1],
    [-1, 1],
    [1, -1],
    [-1, -1],
  ];
  for (const [dx, dy] of order) {
    const x = (lon + dx + scale) % scale;
    const y = lat + dy;
    if (y < 0 || y >= scale) continue;
    const cell = spread(y) | (spread(x) << 1n);
    if (seen.has(cell)) continue;
    seen.add(cell);
    ranges.push({ min: Number(cell << shift), max: Number((cell + 1n) << shift) });
  }
  return ranges;
}

/** The depth at which three by three cells cover the radius. */
function stepFor(radiusMeters: number, latitude: number): number {
  const mercatorMax = 20037726.37;
  if (radiusMeters === 0) return steps;
  let step = 1;
  for (let range = radiusMeters; range < mercatorMax; range *= 2) step++;
  step -= 2;
  if (Math.abs(latitude) > 66) step--;
  if (Math.abs(latitude) > 80) step--;
  return Math.max(1, Math.min(steps, step));
}
