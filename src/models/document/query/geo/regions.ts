/** The arguments of `$geoWithin`, `$geoIntersects` and `$near`. */
import { badValue, DocumentError } from '../../errors.js';
import { Doc, formatDocument, formatField, isArrayValue, isNumber, toDouble, type Value } from '../../values.js';
import { type Geometry, isGeoJson, legacyPoint, onSphere, type Position, parseGeometry } from './shapes.js';
import { type Vector, vectorOf } from './sphere.js';

export type GeoRegion =
  | { readonly kind: 'geometry'; readonly geometry: Geometry }
  | { readonly kind: 'box'; readonly low: Position; readonly high: Position }
  | { readonly kind: 'flatPolygon'; readonly vertices: readonly Position[] }
  | { readonly kind: 'circle'; readonly center: Position; readonly radius: number }
  | {
      readonly kind: 'cap';
      readonly center: Vector;
      readonly position: Position /** Radians. */;
      readonly radius: number;
    };

/** `$near` and `$nearSphere`. */
export interface NearQuery {
  readonly center: Position;
  /** Distances are along the sphere rather than in the plane. */
  readonly spherical: boolean;
  /** Unit of the distances below and of the result: metres for GeoJSON, else radians or the plane's unit. */
  readonly unit: 'metres' | 'radians' | 'plane';
  readonly minDistance: number;
  readonly maxDistance: number;
}

/** `context` is `{$geoWithin: {...}}`. */
export function parseRegion(context: Doc, op: 'geoWithin' | 'geoIntersects'): GeoRegion {
  const name = context.nameAt(0) ?? '';
  const shape = context.at(0);
  if (context.size > 1)
    throw badValue(`can't parse extra field: ${formatField(context.nameAt(1) ?? '', context.at(1) ?? null)}`);
  if (!(shape instanceof Doc)) throw badValue('geometry must be an object');
  let region: GeoRegion | undefined;
  for (const [field, value] of shape) {
    if (field === '$uniqueDocs') continue;
    if (region !== undefined && name === '$geoWithin') {
      throw badValue(`$geoWithin doesn't accept multiple shapes ${formatField(name, shape)}`);
    }
    region = parseShape(field, value);
  }
  if (region === undefined) throw badValue("geo query doesn't have any geometry");
  const area = region.kind !== 'geometry' || isArea(region.geometry);
  if (op === 'geoWithin' && !area)
    throw badValue(`$within not supported with provided geometry: ${formatDocument(context)}`);
  if (op === 'geoIntersects' && region.kind !== 'geometry') {
    throw badValue(`$geoIntersect not supported with provided geometry: ${formatDocument(context)}`);
  }
  return region;
}

function isArea(geometry: Geometry): boolean {
  if (geometry.kind === 'collection') return geometry.parts.every((part) => part.kind === 'polygon');
  return geometry.kind === 'polygon';
}

function parseShape(name: string, value: Value): GeoRegion {
  switch (name) {
    case '$geometry':
      if (!isGeoJson(value))
        throw badValue(
          `unknown GeoJSON type: ${value instanceof Doc ? formatDocument(value) : formatField(name, value)}`,
        );
      return { kind: 'geometry', geometry: parseGeometry(value) };
    case '$box': {
      const [low, high] = points(value, 'Box');
      if (low === undefined || high === undefined) throw badValue('Box must have two points');
      return {
        kind: 'box',
        low: [Math.min(low[0], high[0]), Math.min(low[1], high[1])],
        high: [Math.max(low[0], high[0]), Math.max(low[1], high[1])],
      };
    }
    case '$polygon': {
      const vertices = points(value, 'Polygon');
      if (vertices.length < 3) throw badValue('Polygon must have at least 3 points');
      return { kind: 'flatPolygon', vertices };
    }
    case '$center': {
      const { center, radius } = circle(value);
      return { kind: 'circle', center, radius };
    }
    case '$centerSphere': {
      const { center, radius } = circle(value);
      if (!onSphere(center)) throw badValue('Spherical distance would require (unimplemented) wrapping');
      return { kind: 'cap', center: vectorOf(center[0], center[1]), position: center, radius };
    }
    default:
      throw badValue(`unknown geo specifier: ${formatField(name, value)}`);
  }
}

function points(value: Value, shape: string): Position[] {
  const list = isArrayValue(value) ? value : value instanceof Doc ? [...value].map(([, field]) => field) : undefined;
  if (list === undefined) throw badValue(`${shape} must be an array or object`);
  return list.map(positionOf);
}

function positionOf(value: Value): Position {
  const point = legacyPoint(value);
  return point.kind === 'point' ? point.position : [0, 0];
}

function circle(value: Value): { center: Position; radius: number } {
  const list = isArrayValue(value) ? value : value instanceof Doc ? [...value].map(([, field]) => field) : [];
  const [center, radius] = list;
  if (center === undefined) throw badValue('Point must be an array or object');
  const number = radius !== undefined && isNumber(radius) ? (toDouble(radius) ?? Number.NaN) : Number.NaN;
  if (Number.isNaN(number)) throw badValue('radius must be a non-negative number');
  if (number < 0) throw badValue('radius must be a non-negative number');
  if (list.length > 2) throw badValue('Only 2 fields allowed for circular region');
  return { center: positionOf(center), radius: number };
}

/** `query` is `{$near: ..., $maxDistance: ...}` or `{$near: {$geometry: ..., $maxDistance: ...}}`. */
export function parseNear(query: Doc): NearQuery {
  const name = query.nameAt(0) ?? '';
  const argument = query.at(0);
  const sphere = name === '$nearSphere';
  if (argument instanceof Doc && argument.has('$geometry')) return parseGeoJsonNear(query, argument);
  if (argument instanceof Doc && isGeoJson(argument))
    return nearOf(parseGeometry(argument), sphere, parseDistances(query, query));
  if (argument === undefined || !(argument instanceof Doc || isArrayValue(argument))) {
    throw badValue('geo near query argument is not an object');
  }
  const { pair, maxDistance } = legacyNear(argument);
  const distances = parseDistances(query, query);
  return nearOf(legacyPoint(pair), sphere, { ...distances, max: distances.max ?? maxDistance });
}

/** `[x, y]`, `[x, y, maxDistance]` or a document of these. */
function legacyNear(argument: Value): { pair: Value; maxDistance: number | undefined } {
  const list = isArrayValue(argument)
    ? argument
    : argument instanceof Doc
      ? [...argument].map(([, field]) => field)
      : [];
  const [x, y, distance] = list;
  if (x === undefined || y === undefined || !isNumber(x) || !isNumber(y))
    throw badValue('$geometry is required for geo near query');
  if (distance === undefined) return { pair: [x, y], maxDistance: undefined };
  const maxDistance = toDouble(distance);
  if (maxDistance !== undefined && maxDistance < 0) throw new DocumentError(18522, 'max distance must be non-negative');
  return { pair: [x, y], maxDistance };
}

interface Distances {
  readonly min: number | undefined;
  readonly max: number | undefined;
}

function nearOf(point: Geometry, sphere: boolean, { min, max }: Distances): NearQuery {
  if (point.kind !== 'point') throw badValue('$near requires a point');
  const spherical = sphere || !point.legacy;
  if (spherical && !onSphere(point.position)) throw badValue('Legacy point is out of bounds for spherical query');
  return {
    center: point.position,
    spherical,
    unit: point.legacy ? (spherical ? 'radians' : 'plane') : 'metres',
    minDistance: min ?? 0,
    maxDistance: max ?? Number.POSITIVE_INFINITY,
  };
}

function parseDistances(query: Doc, source: Doc): Distances {
  let min: number | undefined;
  let max: number | undefined;
  for (const [name, value] of source) {
    if (name === '$minDistance') min = distance(name, value, 16893, 16894);
    else if (name === '$maxDistance') max = distance(name, value, 16895, 16896);
    else if (source === query && !['$near', '$nearSphere', '$geoNear', '$uniqueDocs'].includes(name)) {
      throw new DocumentError(34413, `invalid argument in geo near query: ${name}`);
    }
  }
  return { min, max };
}

function distance(name: string, value: Value, typeCode: number, signCode: number): number {
  const number = isNumber(value) ? toDouble(value) : undefined;
  if (number === undefined) throw new DocumentError(typeCode, `${name} must be a number`);
  if (!(number >= 0)) throw new DocumentError(signCode, `${name} must be non-negative`);
  return number;
}

function parseGeoJsonNear(query: Doc, argument: Doc): NearQuery {
  if (query.size > 1) {
    throw badValue(
      `geo near accepts just one argument when querying for a GeoJSON point. Extra field found: ${formatField(query.nameAt(1) ?? '', query.at(1) ?? null)}`,
    );
  }
  let min: number | undefined;
  let max: number | undefined;
  let point: Geometry | undefined;
  for (const [name, value] of argument) {
    if (name === '$geometry') {
      if (!(value instanceof Doc) && !isArrayValue(value)) continue;
      point = parseGeometry(value);
      if (point.kind !== 'point') {
        throw badValue(
          `invalid point in geo near query $geometry argument: ${value instanceof Doc ? formatDocument(value) : ''}  Point must be a GeoJSON point`,
        );
      }
      if (point.legacy)
        throw badValue(`$near requires geojson point, given ${value instanceof Doc ? formatDocument(value) : ''}`);
    } else if (name === '$minDistance' || name === '$maxDistance') {
      const number = isNumber(value) ? toDouble(value) : undefined;
      if (number === undefined) throw badValue(`${name} must be a number`);
      if (!(number >= 0) || !Number.isFinite(number)) throw badValue(`${name} must be non-negative`);
      if (name === '$minDistance') min = number;
      else max = number;
    } else {
      throw badValue(`invalid argument in geo near query: ${name}`);
    }
  }
  if (point === undefined) throw badValue('$geometry is required for geo near query');
  return nearOf(point, true, { min, max });
}
