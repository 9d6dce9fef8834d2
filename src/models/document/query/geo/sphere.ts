/**
 * Geometry on the unit sphere: points are unit vectors, edges the shorter great-circle arcs between them. Angles and
 * distances are radians.
 */

export type Vector = readonly [x: number, y: number, z: number];

/** MongoDB's radius of the earth, metres. */
export const EARTH_RADIUS_METRES = 6_378_100;
/** Points closer than this count as the same and as lying on an edge: a hundredth of a millimetre on the earth. */
const TOLERANCE = 1.5e-12;
const RADIANS = Math.PI / 180;

export function vectorOf(longitude: number, latitude: number): Vector {
  const phi = latitude * RADIANS;
  const theta = longitude * RADIANS;
  const cosine = Math.cos(phi);
  return [cosine * Math.cos(theta), cosine * Math.sin(theta), Math.sin(phi)];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function norm(a: Vector): number {
  return Math.sqrt(dot(a, a));
}

/** Angle between two points. */
export function angleBetween(a: Vector, b: Vector): number {
  return Math.atan2(norm(cross(a, b)), dot(a, b));
}

export function samePoint(a: Vector, b: Vector): boolean {
  return angleBetween(a, b) <= TOLERANCE;
}

/** Distance of p from the arc between a and b. */
export function distanceToEdge(p: Vector, a: Vector, b: Vector): number {
  const normal = cross(a, b);
  const length = norm(normal);
  if (length > 0) {
    const aSide = dot(cross(normal, a), p);
    const bSide = dot(cross(b, normal), p);
    if (aSide > 0 && bSide > 0) return Math.abs(Math.asin(Math.max(-1, Math.min(1, dot(normal, p) / length))));
  }
  return Math.min(angleBetween(p, a), angleBetween(p, b));
}

/** Whether two arcs have a point in common. */
export function edgesIntersect(a: Vector, b: Vector, c: Vector, d: Vector): boolean {
  const ab = cross(a, b);
  const cd = cross(c, d);
  const sideC = dot(ab, c);
  const sideD = dot(ab, d);
  const sideA = dot(cd, a);
  const sideB = dot(cd, b);
  if (sideC * sideD < 0 && sideA * sideB < 0) {
    // The great circles cross twice, at opposite points; the arcs meet if they hold the same one.
    const meeting = cross(ab, cd);
    const within = (from: Vector, to: Vector, normal: Vector): number =>
      Math.sign(dot(cross(normal, from), meeting)) + Math.sign(dot(cross(to, normal), meeting));
    return within(a, b, ab) * within(c, d, cd) > 0;
  }
  return (
    distanceToEdge(c, a, b) <= TOLERANCE ||
    distanceToEdge(d, a, b) <= TOLERANCE ||
    distanceToEdge(a, c, d) <= TOLERANCE ||
    distanceToEdge(b, c, d) <= TOLERANCE
  );
}

/** Whether two arcs cross at a point inside of both. */
function edgesCross(a: Vector, b: Vector, c: Vector, d: Vector): boolean {
  if ([c, d].some((p) => distanceToEdge(p, a, b) <= TOLERANCE)) return false;
  if ([a, b].some((p) => distanceToEdge(p, c, d) <= TOLERANCE)) return false;
  return edgesIntersect(a, b, c, d);
}

/** A closed chain of edges; its inside is the smaller side, or the left one when its winding counts. */
export class Loop {
  private readonly inverted: boolean;
  private readonly center: Vector;
  private readonly radius: number;

  /** `vertices` without repetition of the first. */
  constructor(
    readonly vertices: readonly Vector[],
    strictWinding = false,
  ) {
    const area = signedArea(vertices);
    const clockwise = area < 0;
    if (clockwise) this.vertices = [...vertices].reverse();
    // Counter-clockwise around the smaller side now; the winding said the other one if it was clockwise.
    this.inverted = strictWinding && clockwise;
    const sum = vertices.reduce<[number, number, number]>(
      (total, v) => [total[0] + v[0], total[1] + v[1], total[2] + v[2]],
      [0, 0, 0],
    );
    const length = norm(sum);
    this.center = length < 1e-9 ? [0, 0, 1] : [sum[0] / length, sum[1] / length, sum[2] / length];
    this.radius = length < 1e-9 ? Math.PI : Math.max(...vertices.map((v) => angleBetween(this.center, v)));
  }

  /** Points on the boundary are inside. */
  contains(p: Vector): boolean {
    if (this.radius < Math.PI / 2 && angleBetween(p, this.center) > this.radius + TOLERANCE) return this.inverted;
    let turned = 0;
    for (const [a, b] of this.edges()) {
      const ap = dot(a, p);
      const bp = dot(b, p);
      const turn = Math.atan2(dot(p, cross(a, b)), dot(a, b) - ap * bp);
      if ((Math.abs(turn) > 3 || ap > 0.999_999_999) && distanceToEdge(p, a, b) <= TOLERANCE) return true;
      turned += turn;
    }
    return turned > Math.PI !== this.inverted;
  }

  *edges(): IterableIterator<readonly [Vector, Vector]> {
    let previous = this.vertices.at(-1);
    for (const vertex of this.vertices) {
      if (previous !== undefined) yield [previous, vertex];
      previous = vertex;
    }
  }

  distanceTo(p: Vector): number {
    let least = Math.PI;
    for (const [a, b] of this.edges()) least = Math.min(least, distanceToEdge(p, a, b));
    return least;
  }
}

/** Area enclosed on the left, as a signed value within ±2π: positive when the loop runs counter-clockwise. */
function signedArea(vertices: readonly Vector[]): number {
  const [origin, ...rest] = vertices;
  let area = 0;
  let previous: Vector | undefined;
  for (const vertex of rest) {
    if (origin !== undefined && previous !== undefined) {
      const triple = dot(origin, cross(previous, vertex));
      area += 2 * Math.atan2(triple, 1 + dot(origin, previous) + dot(previous, vertex) + dot(vertex, origin));
    }
    previous = vertex;
  }
  if (area > 2 * Math.PI) return area - 4 * Math.PI;
  return area < -2 * Math.PI ? area + 4 * Math.PI : area;
}

/** A ring with holes. */
export class SpherePolygon {
  constructor(
    readonly shell: Loop,
    readonly holes: readonly Loop[],
  ) {}

  contains(p: Vector): boolean {
    if (!this.shell.contains(p)) return false;
    return this.holes.every((hole) => !hole.contains(p) || hole.distanceTo(p) <= TOLERANCE);
  }

  *edges(): IterableIterator<readonly [Vector, Vector]> {
    yield* this.shell.edges();
    for (const hole of this.holes) yield* hole.edges();
  }

  intersectsEdge(a: Vector, b: Vector): boolean {
    if (this.contains(a) || this.contains(b)) return true;
    for (const [c, d] of this.edges()) if (edgesIntersect(a, b, c, d)) return true;
    return false;
  }

  containsEdge(a: Vector, b: Vector): boolean {
    if (!this.contains(a) || !this.contains(b)) return false;
    for (const [c, d] of this.edges()) if (edgesCross(a, b, c, d)) return false;
    return true;
  }

  containsPolygon(other: SpherePolygon): boolean {
    for (const [a, b] of other.edges()) if (!this.containsEdge(a, b)) return false;
    // A hole that lies inside of the other polygon takes a part of it away.
    return this.holes.every((hole) =>
      hole.vertices.every((v) => !other.contains(v) || other.shell.distanceTo(v) <= TOLERANCE),
    );
  }

  intersectsPolygon(other: SpherePolygon): boolean {
    for (const [a, b] of other.edges()) if (this.intersectsEdge(a, b)) return true;
    const [vertex] = this.shell.vertices;
    return vertex !== undefined && other.contains(vertex);
  }

  /** 0 inside. */
  distanceTo(p: Vector): number {
    if (this.contains(p)) return 0;
    return Math.min(this.shell.distanceTo(p), ...this.holes.map((hole) => hole.distanceTo(p)));
  }
}
