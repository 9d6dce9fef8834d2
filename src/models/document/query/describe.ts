/** A predicate written down again, as explain shows it (`parsedQuery`): operators spelled out, clauses in MongoDB's order. */
import { Doc, MIN_KEY, type Value } from '../values.js';
import type { FieldPredicate, Predicate } from './predicate.js';

/** `{a: {$eq: 1}}`, `{$and: [...]}`, `{}` for the filter that accepts everything. */
export function describePredicate(predicate: Predicate): Doc {
  switch (predicate.op) {
    case 'and':
    case 'or':
    case 'nor': {
      if (predicate.children.length === 0) return new Doc();
      const clauses = [...predicate.children].sort(compareClauses).map(describePredicate);
      return Doc.of({ [`$${predicate.op}`]: clauses });
    }
    case 'not':
      return describeNot(predicate.child);
    case 'expr':
      return Doc.of({ $expr: predicate.expression });
    case 'where':
      return Doc.of({ $where: predicate.code });
    case 'text': {
      const { search, language, caseSensitive, diacriticSensitive } = predicate.text;
      const text = { $search: search, $language: language ?? 'english', $caseSensitive: caseSensitive };
      return Doc.of({ $text: Doc.of({ ...text, $diacriticSensitive: diacriticSensitive }) });
    }
    case 'jsonSchema':
      return Doc.of({ $jsonSchema: predicate.schema.source });
    case 'always':
      return Doc.of({ [predicate.value ? '$alwaysTrue' : '$alwaysFalse']: 1 });
    case 'sampleRate':
      return Doc.of({ $sampleRate: predicate.rate });
    default:
      return Doc.fromEntries([[predicate.path, describeCondition(predicate)]]);
  }
}

function describeNot(child: Predicate): Doc {
  if (child.op === 'and' || child.op === 'or') {
    return Doc.of({ $nor: [describePredicate(child)] });
  }
  const described = describePredicate(child);
  const path = described.nameAt(0) ?? '';
  return Doc.fromEntries([[path, Doc.of({ $not: described.at(0) })]]);
}

function describeCondition(predicate: FieldPredicate): Doc {
  switch (predicate.op) {
    case 'eq':
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return Doc.of({ [`$${predicate.op}`]: predicate.value });
    case 'in':
      return Doc.of({ $in: [...predicate.values, ...predicate.patterns] });
    case 'regex':
      return Doc.of({ $regex: predicate.regex.pattern, $options: predicate.regex.flags || undefined });
    case 'exists':
      return Doc.of({ $exists: true });
    case 'type':
      return Doc.of({
        $type: [...predicate.types].map((type) => (type === MIN_KEY.bsonType ? -1 : type)).sort((a, b) => a - b),
      });
    case 'mod':
      return Doc.of({ $mod: [predicate.divisor, predicate.remainder] });
    case 'size':
      return Doc.of({ $size: predicate.size });
    case 'bits':
      return Doc.of({ [predicate.operator]: predicate.positions });
    case 'elemMatchObject':
      return Doc.of({ $elemMatch: describePredicate(predicate.child) });
    case 'elemMatchValue': {
      const fields = predicate.children.flatMap((child) => [...valueFields(describePredicate(child))]);
      return Doc.of({ $elemMatch: Doc.fromEntries(fields) });
    }
    case 'geoWithin':
    case 'geoIntersects':
    case 'near': {
      const written = predicate.specified.as.at(0);
      return written instanceof Doc ? written : new Doc();
    }
  }
}

/** The operators of `{'': {$gt: 1}}`. */
function valueFields(described: Doc): Iterable<readonly [string, Value]> {
  const operators = described.at(0);
  return operators instanceof Doc ? operators : [];
}

/** MongoDB's order of match expressions. */
const ORDER: readonly Predicate['op'][] = [
  'and',
  'or',
  'elemMatchObject',
  'elemMatchValue',
  'size',
  'eq',
  'lte',
  'lt',
  'gt',
  'gte',
  'regex',
  'mod',
  'exists',
  'in',
  'bits',
  'not',
  'nor',
  'type',
  'geoWithin',
  'geoIntersects',
  'where',
  'expr',
  'jsonSchema',
  'sampleRate',
  'always',
  'near',
  'text',
];

function compareClauses(a: Predicate, b: Predicate): number {
  const order = ORDER.indexOf(a.op) - ORDER.indexOf(b.op);
  if (order !== 0) return order;
  const left = 'path' in a ? a.path : '';
  const right = 'path' in b ? b.path : '';
  return left < right ? -1 : left > right ? 1 : 0;
}
