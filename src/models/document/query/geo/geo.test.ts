import { describe, expect, test } from 'vitest';
import { doc, type Plain, value } from '../../testing/plain.js';
import { Doc, encodeDocument } from '../../values.js';
import { compileFilter } from '../filter.js';
import { nearDistance } from './matching.js';
import { parseNear } from './regions.js';

function matches(condition: Plain, location: Plain): boolean {
  return compileFilter(doc({ loc: condition })).matches(encodeDocument(doc({ loc: location })));
}

const point = (x: number, y: number): Plain => ({ type: 'Point', coordinates: [x, y] });
const line = (...coordinates: number[][]): Plain => ({ type: 'LineString', coordinates });
const polygon = (...coordinates: number[][][]): Plain => ({ type: 'Polygon', coordinates });
const square = (x: number, y: number, size: number): number[][] => [
  [x, y],
  [x + size, y],
  [x + size, y + size],
  [x, y + size],
  [x, y],
];
const within = (geometry: Plain): Plain => ({ $geoWithin: { $geometry: geometry } });
const intersects = (geometry: Plain): Plain => ({ $geoIntersects: { $geometry: geometry } });
const ring = polygon(square(0, 0, 10), square(4, 4, 2));

describe('geometry on the sphere', () => {
  test.each<[Plain, Plain, boolean]>([
    [within(polygon(square(0, 0, 10))), point(5, 5), true],
    [within(polygon(square(0, 0, 10))), [5, 5], true],
    [within(polygon(square(0, 0, 10))), point(11, 5), false],
    [within(polygon(square(0, 0, 10))), point(0, 0), true],
    // A great-circle edge bulges towards the pole.
    [within(polygon(square(0, 40, 40))), point(20, 80.5), true],
    [within(polygon([...square(0, 0, 10)].reverse())), point(5, 5), true],
    [within(ring), point(5, 5), false],
    [within(ring), point(1, 1), true],
    [within(ring), polygon(square(3, 3, 4)), false],
    [within(ring), polygon(square(1, 1, 2)), true],
    [within(ring), line([1, 1], [9, 9]), false],
    [
      within(polygon(square(0, 0, 10))),
      {
        type: 'MultiPoint',
        coordinates: [
          [1, 1],
          [20, 20],
        ],
      },
      false,
    ],
    [within({ type: 'MultiPolygon', coordinates: [[square(0, 0, 1)], [square(5, 5, 1)]] }), point(5.5, 5.5), true],
    [intersects(point(5, 5)), polygon(square(0, 0, 10)), true],
    [intersects(point(5, 5)), point(5, 5), true],
    [intersects(point(5, 5)), [5, 5], true],
    [intersects(point(5, 5)), ring, false],
    [intersects(line([-1, 5], [11, 5])), polygon(square(0, 0, 10)), true],
    [intersects(polygon(square(0, 0, 10))), polygon(square(5, 5, 10)), true],
    [intersects(polygon(square(0, 0, 10))), polygon(square(20, 20, 1)), false],
    [intersects(polygon(square(0, 0, 10))), polygon(square(2, 2, 1)), true],
    [intersects(polygon(square(2, 2, 1))), polygon(square(0, 0, 10)), true],
    [
      intersects({ type: 'GeometryCollection', geometries: [point(1, 1), line([0, 0], [3, 3])] }),
      point(2, 2.0009),
      false,
    ],
    [intersects(line([179, 0], [-179, 0])), point(180, 0), true],
    [
      within(
        polygon([
          [170, -10],
          [-170, -10],
          [-170, 10],
          [170, 10],
          [170, -10],
        ]),
      ),
      point(180, 0),
      true,
    ],
    [
      within(
        polygon([
          [170, -10],
          [-170, -10],
          [-170, 10],
          [170, 10],
          [170, -10],
        ]),
      ),
      point(0, 0),
      false,
    ],
  ])('%o on %o: %s', (condition, location, expected) => {
    expect(matches(condition, location)).toBe(expected);
  });

  test('a winding order that counts turns a polygon inside out', () => {
    const crs = { type: 'name', properties: { name: 'urn:x-mongodb:crs:strictwinding:EPSG:4326' } };
    const clockwise = { type: 'Polygon', coordinates: [[...square(0, 0, 10)].reverse()], crs };
    expect(matches(within(clockwise), point(5, 5))).toBe(false);
    expect(matches(within(clockwise), point(50, 50))).toBe(true);
  });

  test('distances', () => {
    const near = parseNear(doc({ $near: { $geometry: { type: 'Point', coordinates: [13.4, 52.5] } } }));
    const paris = nearDistance(near, value(point(2.35, 48.86))) ?? 0;
    expect(paris / 1000).toBeCloseTo(877.2, 1);
    expect(nearDistance(parseNear(doc({ $near: [0, 0] })), value([3, 4]))).toBe(5);
    expect(nearDistance(parseNear(doc({ $nearSphere: [0, 0] })), value([90, 0]))).toBeCloseTo(Math.PI / 2);
    expect(nearDistance(near, value(polygon(square(10, 50, 10))))).toBe(0);
    expect(nearDistance(near, new Doc())).toBeUndefined();
  });
});

describe('refusals', () => {
  test.each<[Plain, string]>([
    [within(point(1, 1)), '$within not supported with provided geometry'],
    [within(point(200, 1)), 'longitude/latitude is out of bounds, lng: 200 lat: 1'],
    [
      within(
        polygon([
          [0, 0],
          [1, 1],
          [2, 0],
        ]),
      ),
      'Loop is not closed',
    ],
    [
      within(
        polygon([
          [0, 0],
          [1, 1],
          [0, 0],
        ]),
      ),
      'Loop must have at least 3 different vertices',
    ],
    [within(line([0, 0])), 'GeoJSON LineString must have at least 2 vertices'],
    [{ $geoWithin: {} }, "geo query doesn't have any geometry"],
    [{ $geoWithin: { $foo: 1 } }, 'unknown geo specifier: $foo: 1'],
    [
      {
        $geoIntersects: {
          $box: [
            [0, 0],
            [1, 1],
          ],
        },
      },
      '$geoIntersect not supported with provided geometry',
    ],
    [
      { $near: { $geometry: { type: 'Point', coordinates: [0, 0] }, $maxDistance: -1 } },
      '$maxDistance must be non-negative',
    ],
    [{ $near: [0, 0], $foo: 1 }, 'invalid argument in geo near query: $foo'],
    [{ $gt: 1, $near: [0, 0] }, 'near must be first in: { $gt: 1, $near: [ 0, 0 ] }'],
  ])('%o: %s', (condition, message) => {
    expect(() => matches(condition, point(0, 0))).toThrow(message);
  });
});
