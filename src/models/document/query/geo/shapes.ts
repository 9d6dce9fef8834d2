/**
 * Shapes in documents and queries: GeoJSON (longitude and latitude on the sphere) and legacy coordinate pairs (any two
 * numbers, in a plane). See RFC 7946 and MongoDB's manual on geospatial data.
 */
import { badValue } from '../../errors.js';
import {
  type ArrayValue,
  Doc,
  formatDocument,
  formatValue,
  isArrayValue,
  isNumber,
  toDouble,
  type Value,
} from '../../values.js';
import { angleBetween, distanceToEdge, Loop, SpherePolygon, type Vector, vectorOf } from './sphere.js';

/** Longitude and latitude in degrees, or x and y. */
export type Position = readonly [x: number, y: number];

export type Geometry =
  | { readonly kind: 'point'; readonly position: Position; readonly legacy: boolean; readonly vector: Vector }
  | { readonly kind: 'line'; readonly vertices: readonly Vector[]; readonly positions: readonly Position[] }
  | {
      readonly kind: 'polygon';
      readonly polygon: SpherePolygon;
      readonly rings: readonly (readonly Position[])[];
      readonly strict: boolean;
    }
  | { readonly kind: 'collection'; readonly parts: readonly Geometry[] };

const GEOJSON_TYPES = new Set([
  'Point',
  'LineString',
  'Polygon',
  'MultiPoint',
  'MultiLineString',
  'MultiPolygon',
  'GeometryCollection',
]);
const STRICT_CRS = 'urn:x-mongodb:crs:strictwinding:EPSG:4326';
const CRS_NAMES = new Set(['urn:ogc:def:crs:OGC:1.3:CRS84', 'EPSG:4326']);

export function isGeoJson(value: Value): value is Doc {
  if (!(value instanceof Doc)) return false;
  const type = value.get('type');
  return typeof type === 'string' && GEOJSON_TYPES.has(type);
}

/** A geometry of either notation. Throws code 2 with the reason when it is none. */
export function parseGeometry(value: Value): Geometry {
  if (isGeoJson(value)) return parseGeoJson(value);
  return legacyPoint(value);
}

/** A geometry in a document; undefined when the value is none. */
export function storedGeometry(value: Value): Geometry | undefined {
  try {
    return parseGeometry(value);
  } catch {
    return undefined;
  }
}

/** Two numbers in an array or as the first fields of a document. */
export function legacyPoint(value: Value): Geometry {
  const position = coordinatePair(value);
  return { kind: 'point', position, legacy: true, vector: vectorOf(position[0], position[1]) };
}

/** Whether a plane position can stand for longitude and latitude. */
export function onSphere([longitude, latitude]: Position): boolean {
  return longitude >= -180 && longitude <= 180 && latitude >= -90 && latitude <= 90;
}

function coordinatePair(value: Value): Position {
  let numbers: ArrayValue;
  if (isArrayValue(value)) numbers = value;
  else if (value instanceof Doc) numbers = [...value].map(([, field]) => field);
  else throw badValue('Point must be an array or object');
  const [x, y] = numbers;
  if (x === undefined || y === undefined || !isNumber(x) || !isNumber(y)) {
    throw badValue('Point must only contain numeric elements');
  }
  if (numbers.length > 2) throw badValue('Point must only contain two numeric elements');
  return [toDouble(x) ?? 0, toDouble(y) ?? 0];
}

function parseGeoJson(document: Doc): Geometry {
  const strict = parseCrs(document);
  const type = document.get('type');
  if (type === 'GeometryCollection') {
    const parts = document.get('geometries');
    if (parts === undefined || !isArrayValue(parts))
      throw badValue(`GeometryCollection geometries must be an array: ${formatDocument(document)}`);
    if (parts.length === 0) throw badValue('GeometryCollection geometries must have at least 1 element');
    return {
      kind: 'collection',
      parts: parts.map((part, index) => {
        if (!(part instanceof Doc)) throw badValue(`Element ${index} of "geometries" is not an object`);
        if (!isGeoJson(part)) throw badValue(`Unknown GeoJSON type: ${formatDocument(part)}`);
        return parseGeoJson(part);
      }),
    };
  }
  const coordinates = document.get('coordinates');
  if (coordinates === undefined) throw badValue(`GeoJSON coordinates must be specified: ${formatDocument(document)}`);
  switch (type) {
    case 'Point': {
      const position = geoPosition(coordinates);
      return { kind: 'point', position, legacy: false, vector: vectorOf(position[0], position[1]) };
    }
    case 'LineString':
      return line(coordinates);
    case 'Polygon':
      return polygon(coordinates, strict);
    case 'MultiPoint':
      return collection(coordinates, 'MultiPoint', (element) => {
        const position = geoPosition(element);
        return { kind: 'point', position, legacy: false, vector: vectorOf(position[0], position[1]) };
      });
    case 'MultiLineString':
      return collection(coordinates, 'MultiLineString', line);
    default:
      return collection(coordinates, 'MultiPolygon', (element) => polygon(element, false));
  }
}

/** Whether the coordinate system asks that winding counts. */
function parseCrs(document: Doc): boolean {
  const crs = document.get('crs');
  if (crs === undefined) return false;
  const properties = crs instanceof Doc ? crs.get('properties') : undefined;
  const name = properties instanceof Doc ? properties.get('name') : undefined;
  if (!(crs instanceof Doc)) throw badValue('GeoJSON CRS must be an object');
  if (crs.get('type') !== 'name') throw badValue('GeoJSON CRS must have field "type": "name"');
  if (!(properties instanceof Doc)) throw badValue('CRS must have field "properties" which is an object');
  if (typeof name !== 'string') throw badValue('In CRS, "properties.name" must be a string');
  if (name === STRICT_CRS) return true;
  if (!CRS_NAMES.has(name)) throw badValue(`Unknown CRS name: ${name}`);
  return false;
}

function collection(coordinates: Value, type: string, parse: (element: Value) => Geometry): Geometry {
  if (!isArrayValue(coordinates)) throw badValue(`${type} coordinates must be an array`);
  if (coordinates.length === 0) throw badValue(`${type} coordinates must have at least 1 element`);
  return { kind: 'collection', parts: coordinates.map(parse) };
}

function geoPosition(value: Value): Position {
  if (!isArrayValue(value)) throw badValue('Point must be an array or object');
  const [x, y] = value;
  if (x === undefined || y === undefined || !value.every(isNumber))
    throw badValue('Point must only contain numeric elements');
  const position: Position = [toDouble(x) ?? 0, toDouble(y) ?? 0];
  if (!onSphere(position)) {
    throw badValue(`longitude/latitude is out of bounds, lng: ${position[0]} lat: ${position[1]}`);
  }
  return position;
}

function positions(value: Value): Position[] {
  if (!isArrayValue(value)) throw badValue('GeoJSON coordinates must be an array of coordinates');
  return value.map(geoPosition);
}

function vectors(points: readonly Position[]): Vector[] {
  return points.map(([x, y]) => vectorOf(x, y));
}

function line(value: Value): Geometry {
  const points = positions(value);
  const distinct = points.filter((point, index) => !samePosition(point, points[index - 1]));
  if (distinct.length < 2) throw badValue(`GeoJSON LineString must have at least 2 vertices: ${formatValue(value)}`);
  return { kind: 'line', positions: distinct, vertices: vectors(distinct) };
}

function samePosition(a: Position, b: Position | undefined): boolean {
  return b !== undefined && a[0] === b[0] && a[1] === b[1];
}

function polygon(value: Value, strict: boolean): Geometry {
  if (!isArrayValue(value)) throw badValue('Polygon coordinates must be an array');
  if (value.length === 0) throw badValue('Polygon has no loops.');
  if (strict && value.length > 1)
    throw badValue(`Only one simple loop is allowed in a big polygon: ${formatValue(value)}`);
  const rings = value.map(ring);
  const loops = rings.map((points) => new Loop(vectors(points), strict));
  const [shell, ...holes] = loops;
  if (shell === undefined) throw badValue('Polygon has no loops.');
  for (const [index, hole] of holes.entries()) {
    if (!hole.vertices.every((vertex) => shell.contains(vertex))) {
      throw badValue(
        `Secondary loops not contained by first exterior loop - secondary loops must be holes: ${formatValue(value[index + 1] ?? null)} first loop: ${formatValue(value[0] ?? null)}`,
      );
    }
  }
  return { kind: 'polygon', polygon: new SpherePolygon(shell, holes), rings, strict };
}

/** A ring's positions without the closing one. */
function ring(value: Value): Position[] {
  const points = positions(value);
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) throw badValue('Loop has no vertices');
  if (!samePosition(first, last)) {
    throw badValue(`Loop is not closed, first vertex does not equal last vertex: ${formatValue(value)}`);
  }
  const open = points.slice(0, -1).filter((point, index) => !samePosition(point, points[index - 1]));
  if (new Set(open.map(String)).size < 3) {
    throw badValue(
      `Loop must have at least 3 different vertices, ${open.length} unique vertices were provided: ${formatValue(value)}`,
    );
  }
  const duplicate = open.findIndex((point, index) => open.findIndex((other) => samePosition(point, other)) !== index);
  if (duplicate >= 0) {
    const original = open.findIndex((other) => samePosition(other, open[duplicate]));
    throw badValue(`Loop is not valid: ${formatValue(value)} Duplicate vertices: ${original} and ${duplicate}`);
  }
  return open;
}

/** Distance in radians from a point on the sphere to the nearest point of a geometry. */
export function sphereDistance(point: Vector, geometry: Geometry): number {
  switch (geometry.kind) {
    case 'point':
      return angleBetween(point, geometry.vector);
    case 'line':
      return Math.min(
        ...geometry.vertices
          .slice(1)
          .map((vertex, index) => distanceToEdge(point, geometry.vertices[index] ?? vertex, vertex)),
      );
    case 'polygon':
      return geometry.polygon.distanceTo(point);
    case 'collection':
      return Math.min(...geometry.parts.map((part) => sphereDistance(point, part)));
  }
}
