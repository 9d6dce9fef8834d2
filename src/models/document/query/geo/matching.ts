/** Geometries in documents against regions, and their distance from a point. */
import { valueAt } from '../../bson/document.js';
import { BsonType } from '../../bson/raw.js';
import type { Value } from '../../values.js';
import type { ElementTest } from '../path.js';
import type { GeoRegion, NearQuery } from './regions.js';
import { type Geometry, onSphere, type Position, sphereDistance, storedGeometry } from './shapes.js';
import {
  angleBetween,
  distanceToEdge,
  EARTH_RADIUS_METRES,
  edgesIntersect,
  type SpherePolygon,
  samePoint,
  type Vector,
  vectorOf,
} from './sphere.js';

export function geoTest(op: 'geoWithin' | 'geoIntersects', region: GeoRegion): ElementTest {
  return (bytes, type, offset) => {
    if (type !== BsonType.object && type !== BsonType.array) return false;
    const geometry = storedGeometry(valueAt(bytes, type, offset));
    return geometry !== undefined && regionMatches(op, region, geometry);
  };
}

/** Big polygons (strict winding) are for queries only and never match as data. */
export function regionMatches(op: 'geoWithin' | 'geoIntersects', region: GeoRegion, geometry: Geometry): boolean {
  if (geometry.kind === 'polygon' && geometry.strict) return false;
  switch (region.kind) {
    case 'geometry':
      if (!spherical(geometry)) return false;
      return op === 'geoWithin' ? within(region.geometry, geometry) : intersects(region.geometry, geometry);
    case 'cap':
      return spherical(geometry) && inCap(region.center, region.radius, geometry);
    case 'box':
      return geometry.kind === 'point' && inBox(region.low, region.high, geometry.position);
    case 'circle':
      return geometry.kind === 'point' && planeDistance(region.center, geometry.position) <= region.radius;
    case 'flatPolygon':
      return geometry.kind === 'point' && inPlanePolygon(region.vertices, geometry.position);
  }
}

/** A legacy point may be no longitude and latitude. */
function spherical(geometry: Geometry): boolean {
  return geometry.kind !== 'point' || !geometry.legacy || onSphere(geometry.position);
}

function inBox(low: Position, high: Position, [x, y]: Position): boolean {
  return x >= low[0] && x <= high[0] && y >= low[1] && y <= high[1];
}

export function planeDistance(a: Position, b: Position): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** Boundary points are inside. */
function inPlanePolygon(vertices: readonly Position[], [x, y]: Position): boolean {
  let inside = false;
  let previous = vertices.at(-1);
  for (const vertex of vertices) {
    if (previous !== undefined) {
      const [x1, y1] = previous;
      const [x2, y2] = vertex;
      const turn = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1);
      const between = Math.min(x1, x2) <= x && x <= Math.max(x1, x2) && Math.min(y1, y2) <= y && y <= Math.max(y1, y2);
      if (turn === 0 && between) return true;
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
    }
    previous = vertex;
  }
  return inside;
}

function inCap(center: Vector, radius: number, geometry: Geometry): boolean {
  const near = (vertex: Vector): boolean => angleBetween(center, vertex) <= radius;
  switch (geometry.kind) {
    case 'point':
      return near(geometry.vector);
    case 'line':
      return geometry.vertices.every(near);
    case 'polygon':
      return geometry.polygon.shell.vertices.every(near);
    case 'collection':
      return geometry.parts.every((part) => inCap(center, radius, part));
  }
}

function polygonsOf(geometry: Geometry): SpherePolygon[] {
  if (geometry.kind === 'polygon') return [geometry.polygon];
  return geometry.kind === 'collection' ? geometry.parts.flatMap(polygonsOf) : [];
}

/** Whether an area holds a geometry wholly. */
function within(area: Geometry, geometry: Geometry): boolean {
  const polygons = polygonsOf(area);
  switch (geometry.kind) {
    case 'point':
      return polygons.some((polygon) => polygon.contains(geometry.vector));
    case 'line':
      return polygons.some((polygon) => edgesOf(geometry.vertices).every(([a, b]) => polygon.containsEdge(a, b)));
    case 'polygon':
      return polygons.some((polygon) => polygon.containsPolygon(geometry.polygon));
    case 'collection':
      return geometry.parts.every((part) => within(area, part));
  }
}

function edgesOf(vertices: readonly Vector[]): (readonly [Vector, Vector])[] {
  return vertices.slice(1).map((vertex, index) => [vertices[index] ?? vertex, vertex] as const);
}

/** As near as two points that count as one: the width of a line. */
const LINE_WIDTH = 1e-10;

function intersects(a: Geometry, b: Geometry): boolean {
  if (a.kind === 'collection') return a.parts.some((part) => intersects(part, b));
  if (b.kind === 'collection') return b.parts.some((part) => intersects(a, part));
  if (a.kind === 'point') return touchesPoint(b, a.vector);
  if (b.kind === 'point') return touchesPoint(a, b.vector);
  if (a.kind === 'polygon') {
    if (b.kind === 'polygon') return a.polygon.intersectsPolygon(b.polygon);
    return edgesOf(b.vertices).some(([c, d]) => a.polygon.intersectsEdge(c, d));
  }
  if (b.kind === 'polygon') return intersects(b, a);
  return edgesOf(a.vertices).some(([c, d]) => edgesOf(b.vertices).some(([e, f]) => edgesIntersect(c, d, e, f)));
}

function touchesPoint(geometry: Geometry, point: Vector): boolean {
  switch (geometry.kind) {
    case 'point':
      return samePoint(geometry.vector, point);
    case 'line':
      return edgesOf(geometry.vertices).some(([a, b]) => distanceToEdge(point, a, b) <= LINE_WIDTH);
    case 'polygon':
      return geometry.polygon.contains(point);
    case 'collection':
      return geometry.parts.some((part) => touchesPoint(part, point));
  }
}

/** Distance in the query's unit; undefined if the value is no geometry that the query can measure. */
export function nearDistance(near: NearQuery, value: Value): number | undefined {
  const geometry = storedGeometry(value);
  if (geometry === undefined) return undefined;
  if (!near.spherical) return geometry.kind === 'point' ? planeDistance(near.center, geometry.position) : undefined;
  if (!spherical(geometry)) return undefined;
  const angle = sphereDistance(vectorOf(near.center[0], near.center[1]), geometry);
  return near.unit === 'metres' ? angle * EARTH_RADIUS_METRES : angle;
}

/** Within the query's distances. */
export function nearTest(near: NearQuery): ElementTest {
  return (bytes, type, offset) => {
    if (type !== BsonType.object && type !== BsonType.array) return false;
    const distance = nearDistance(near, valueAt(bytes, type, offset));
    return distance !== undefined && distance >= near.minDistance && distance <= near.maxDistance;
  };
}
