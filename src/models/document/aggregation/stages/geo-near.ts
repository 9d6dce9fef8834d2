/** `$geoNear`: documents by their distance from a point, nearest first. */
import { DocumentError, typeMismatch } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { nearDistance } from '../../query/geo/matching.js';
import { type NearQuery, parseNear } from '../../query/geo/regions.js';
import { Doc, double, encodeDocument, isNumber, isTrue, toDouble, typeName, type Value } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { askedValues } from '../foreign-values.js';
import type { Environment } from '../scope.js';
import { newDependencies } from '../scope.js';
import { documentsOf } from '../sources.js';
import { compileMatch } from './match.js';
import { type CompileStage, type DocSource, drain, inBatches, lazySource, type Run, stageOf } from './stage.js';
import { replaceAt } from './unwind.js';

interface GeoNear {
  readonly near: NearQuery;
  readonly query: Doc;
  readonly key: string | undefined;
  readonly distanceField: readonly string[] | undefined;
  readonly includeLocs: readonly string[] | undefined;
  readonly multiplier: number;
}

export const geoNear: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) throw new DocumentError(10065, `invalid parameter: expected an object ($geoNear)`);
  const spec = parseGeoNear(argument, environment);
  const filter = compileMatch(spec.query, environment.withDependencies(newDependencies()));
  return stageOf(specification, {
    source: true,
    open: (input, run) =>
      lazySource(
        async () => {
          const { collection, database } = run.context;
          if (collection === undefined)
            throw new DocumentError(73, '$geoNear is not valid on an aggregate of a database');
          const namespace = { database, name: collection };
          const key = spec.key ?? (await onlyKey(run, namespace));
          const source = documentsOf(
            await run.context.read(namespace, { filter, query: spec.query, collation: environment.collation }),
          );
          try {
            return inBatches(await nearest(source, run, spec, key));
          } finally {
            source.close();
          }
        },
        () => input.close(),
      ),
  });
};

async function onlyKey(run: Run, namespace: { database: string; name: string }): Promise<string> {
  const paths = (await run.context.geoIndexes?.(namespace)) ?? [];
  const [path] = paths;
  if (path === undefined) throw new DocumentError(27, '$geoNear requires a 2d or 2dsphere index, but none were found');
  if (paths.length > 1) {
    throw new DocumentError(
      27,
      `There is more than one 2d or 2dsphere index on ${namespace.database}.${namespace.name}; unsure which to use for $geoNear`,
    );
  }
  return path;
}

async function nearest(source: DocSource, run: Run, spec: GeoNear, key: string): Promise<Doc[]> {
  const { near, multiplier, distanceField, includeLocs } = spec;
  const parts = parseFieldPath(key);
  const found: { readonly document: Doc; readonly distance: number; readonly place: Value }[] = [];
  await drain(source, run, (document) => {
    let best: { distance: number; place: Value } | undefined;
    const whole: Value | undefined = parts.length === 1 ? document.get(parts[0] ?? '') : undefined;
    // A legacy point is an array itself.
    for (const place of [...(whole === undefined ? [] : [whole]), ...askedValues(document, parts)]) {
      const distance = nearDistance(near, place);
      if (distance !== undefined && (best === undefined || distance < best.distance)) best = { distance, place };
    }
    if (best !== undefined && best.distance >= near.minDistance && best.distance <= near.maxDistance) {
      found.push({ document, ...best });
    }
  });
  found.sort((a, b) => a.distance - b.distance);
  return found.map(({ document, distance, place }) => {
    const shown = double(distance * multiplier);
    let result = distanceField === undefined ? document : replaceAt(document, distanceField, 0, shown);
    if (includeLocs !== undefined) result = replaceAt(result, includeLocs, 0, place);
    const metadata = new Map<string, Value>([
      ['geoNearDistance', shown],
      ['geoNearPoint', place],
    ]);
    run.metadata.set(result, metadata);
    run.hasMetadata = true;
    return result.source === undefined ? rebased(result, run) : result;
  });
}

/** Documents that were changed are looked at as bytes by the stages that follow. */
function rebased(document: Doc, run: Run): Doc {
  const encoded = Doc.fromBytes(encodeDocument(document));
  const metadata = run.metadata.get(document);
  if (metadata !== undefined) run.metadata.set(encoded, metadata);
  return encoded;
}

const FIELDS = [
  'near',
  'distanceField',
  'spherical',
  'minDistance',
  'maxDistance',
  'query',
  'distanceMultiplier',
  'includeLocs',
  'key',
  'uniqueDocs',
  'limit',
  'num',
  'start',
];

function parseGeoNear(argument: Doc, environment: Environment): GeoNear {
  for (const name of argument.keys()) {
    if (!FIELDS.includes(name)) throw new DocumentError(40415, `BSON field '$geoNear.${name}' is an unknown field.`);
  }
  for (const name of ['limit', 'num', 'start']) {
    if (argument.has(name))
      throw new DocumentError(50858, `$geoNear no longer supports the '${name}' parameter. Use a $limit stage`);
  }
  const text = (name: string, code: number): string | undefined => {
    const value = argument.get(name);
    if (value !== undefined && typeof value !== 'string') {
      throw new DocumentError(
        code,
        `$geoNear requires that the '${name}' option is a String, but found ${typeName(value)}`,
      );
    }
    return value;
  };
  const number = (name: string): number | undefined => {
    const value = argument.get(name);
    if (value === undefined) return undefined;
    const constant = compileExpression(value, environment).constant?.value;
    if (!isNumber(constant))
      throw typeMismatch(`$geoNear requires that '${name}' is a number, but found ${typeName(constant)}`);
    return toDouble(constant);
  };
  const query = argument.get('query') ?? new Doc();
  if (!(query instanceof Doc))
    throw typeMismatch(`$geoNear requires that the 'query' option is an object, but found ${typeName(query)}`);
  const point = argument.get('near');
  if (point === undefined) throw new DocumentError(5860400, "$geoNear requires a 'near' argument");
  const center = compileExpression(point, environment).constant?.value ?? point;
  const distanceField = text('distanceField', 16606);
  const includeLocs = text('includeLocs', 16607);
  const multiplier = number('distanceMultiplier') ?? 1;
  if (multiplier < 0) throw new DocumentError(16608, '$geoNear requires that distanceMultiplier is nonnegative');
  return {
    near: {
      ...nearQuery(center, isTrue(argument.get('spherical'))),
      ...distances(number('minDistance'), number('maxDistance')),
    },
    query,
    key: text('key', 40110),
    distanceField: distanceField === undefined ? undefined : parseFieldPath(distanceField),
    includeLocs: includeLocs === undefined ? undefined : parseFieldPath(includeLocs),
    multiplier,
  };
}

function nearQuery(center: Value, spherical: boolean): NearQuery {
  return parseNear(new Doc().append(spherical ? '$nearSphere' : '$near', center));
}

function distances(min = 0, max = Number.POSITIVE_INFINITY): Pick<NearQuery, 'minDistance' | 'maxDistance'> {
  return { minDistance: min, maxDistance: max };
}
