/** Random commands on few keys, so that they meet: one generator a family. */
export type Choose = <T>(options: readonly T[]) => T;
export type Generate = (choose: Choose) => string[];

const some = (choose: Choose, ...options: readonly (readonly string[])[]): string[] => [...choose([[], ...options])];

function vocabulary(choose: Choose) {
  return {
    key: () => choose(['k1', 'k2', 'k3', 'k4']),
    int: () => choose(['-6', '-3', '-2', '-1', '0', '1', '2', '3', '6']),
    value: () => choose(['a', 'b', 'c', '1', '2', '10', 'hello', '3.5', 'x'.repeat(70), '\xff\0', '', '-7']),
    field: () => choose(['f1', 'f2', 'f3', 'f4', 'n']),
    member: () => choose(['a', 'b', 'c', 'd', 'e1', 'e2', '7']),
    score: () => choose(['1', '2', '3', '-1', '2.5', 'inf', '-inf', '0', '1e3', 'nan', 'x', '0x10']),
    bound: () => choose(['1', '(1', '2', '(2.5', '-inf', '+inf', 'x']),
    lex: () => choose(['-', '+', '[a', '(b', '[e2', 'q']),
  };
}

export const families: Readonly<Record<string, Generate>> = {
  strings: (choose) => {
    const { key, int, value } = vocabulary(choose);
    return choose<() => string[]>([
      () => [
        'SET',
        key(),
        value(),
        ...some(choose, ['NX'], ['XX'], ['GET'], ['NX', 'GET'], ['KEEPTTL'], ['EX', '100'], ['EX', '0'], ['NX', 'XX']),
      ],
      () => ['GET', key()],
      () => ['GETSET', key(), value()],
      () => ['GETDEL', key()],
      () => ['GETEX', key(), ...some(choose, ['PERSIST'], ['EX', '100'], ['FOO'])],
      () => ['MGET', key(), key()],
      () => ['MSET', key(), value(), key(), value()],
      () => ['MSETNX', key(), value(), key(), value()],
      () => ['STRLEN', key()],
      () => ['GETRANGE', key(), int(), int()],
      () => ['SETRANGE', key(), int(), value()],
      () => ['APPEND', key(), value()],
      () => ['INCRBY', key(), choose([int(), '9223372036854775807', 'x'])],
      () => ['DECRBY', key(), choose([int(), '-9223372036854775808'])],
      () => ['INCRBYFLOAT', key(), choose(['1.5', '5.0e3', '-0.1', 'x', '1e-20', '3'])],
      () => ['LCS', key(), key(), ...some(choose, ['LEN'], ['IDX'], ['IDX', 'WITHMATCHLEN'], ['IDX', 'LEN'])],
      () => ['SETBIT', key(), choose(['0', '7', '9', '30', '-1']), choose(['0', '1', '2'])],
      () => ['GETBIT', key(), choose(['0', '7', '9', '30'])],
      () => ['BITCOUNT', key(), ...some(choose, [int(), int()], [int(), int(), 'BIT'])],
      () => ['BITPOS', key(), choose(['0', '1', '2']), ...some(choose, [int()], [int(), int()], [int(), int(), 'BIT'])],
      () => ['BITOP', choose(['AND', 'OR', 'XOR', 'NOT']), key(), key()],
      () => [
        'BITFIELD',
        key(),
        ...choose([
          ['GET', 'u8', '0'],
          ['SET', 'i8', '#1', int()],
          ['OVERFLOW', choose(['SAT', 'FAIL', 'WRAP']), 'INCRBY', 'i4', '3', int()],
        ]),
      ],
      () => [
        'EXPIRE',
        key(),
        choose(['100', '-1', 'x']),
        ...some(choose, ['NX'], ['XX'], ['GT'], ['LT'], ['NX', 'XX']),
      ],
      () => ['TTL', key()],
      () => ['PERSIST', key()],
      () => ['DEL', key(), key()],
      () => ['EXISTS', key(), key()],
      () => ['RENAME', key(), key()],
      () => ['RENAMENX', key(), key()],
      () => ['COPY', key(), key(), ...some(choose, ['REPLACE'], ['DB', '1'], ['DB', '99'])],
      () => ['MOVE', key(), choose(['1', '0', '99'])],
      () => ['TYPE', key()],
      () => ['DBSIZE'],
      () => ['LPUSH', key(), value()],
    ])();
  },
  hashes: (choose) => {
    const { key, int, value, field } = vocabulary(choose);
    const small = (): string => value().slice(0, 60);
    return choose<() => string[]>([
      () => ['HSET', key(), field(), small(), ...some(choose, [field(), small()], [field()])],
      () => ['HSETNX', key(), field(), small()],
      () => ['HGET', key(), field()],
      () => ['HMGET', key(), field(), field()],
      () => ['HGETALL', key()],
      () => ['HKEYS', key()],
      () => ['HVALS', key()],
      () => ['HLEN', key()],
      () => ['HDEL', key(), field(), field()],
      () => ['HEXISTS', key(), field()],
      () => ['HSTRLEN', key(), field()],
      () => ['HINCRBY', key(), 'n', choose([int(), '9223372036854775807', 'x'])],
      () => ['HINCRBYFLOAT', key(), 'n', choose(['1.5', 'x', '0.1'])],
      () => ['HSCAN', key(), '0', ...some(choose, ['MATCH', 'f1*'])],
      () => ['OBJECT', 'ENCODING', key()],
      () => ['SET', key(), value()],
      () => ['DEL', key()],
    ])();
  },
  lists: (choose) => {
    const { key, int, value } = vocabulary(choose);
    const side = (): string => choose(['LEFT', 'RIGHT']);
    return choose<() => string[]>([
      () => [choose(['LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX']), key(), value(), ...some(choose, [value(), value()])],
      () => [choose(['LPOP', 'RPOP']), key(), ...some(choose, [int()])],
      () => ['LLEN', key()],
      () => ['LINDEX', key(), int()],
      () => ['LRANGE', key(), int(), int()],
      () => ['LSET', key(), int(), value()],
      () => ['LTRIM', key(), int(), int()],
      () => ['LREM', key(), int(), value()],
      () => ['LINSERT', key(), choose(['BEFORE', 'AFTER', 'X']), value(), value()],
      () => ['LPOS', key(), value(), ...some(choose, ['RANK', int()], ['COUNT', int()], ['MAXLEN', '3'])],
      () => ['LMOVE', key(), key(), side(), side()],
      () => ['RPOPLPUSH', key(), key()],
      () => ['LMPOP', choose(['1', '2', '0']), key(), key(), side(), ...some(choose, ['COUNT', int()])],
      () => [
        'SORT',
        key(),
        ...some(
          choose,
          ['ALPHA'],
          ['ALPHA', 'DESC'],
          ['BY', 'nosort'],
          ['ALPHA', 'STORE', key()],
          ['GET', '#', 'GET', 'k*', 'ALPHA'],
        ),
      ],
      () => ['RPUSH', key(), ...Array.from({ length: choose([1, 12, 25]) }, () => 'y'.repeat(400))],
      () => ['SET', key(), value()],
      () => ['DEL', key()],
    ])();
  },
  sets: (choose) => {
    const { key, int, value, member } = vocabulary(choose);
    return choose<() => string[]>([
      () => ['SADD', key(), choose([member(), int()]), ...some(choose, [int()], [member()])],
      () => ['SREM', key(), member(), int()],
      () => ['SCARD', key()],
      () => ['SISMEMBER', key(), member()],
      () => ['SMISMEMBER', key(), member(), int()],
      () => ['SMEMBERS', key()],
      () => ['SMOVE', key(), key(), member()],
      () => [choose(['SINTER', 'SUNION', 'SDIFF']), key(), key(), ...some(choose, [key()])],
      () => [choose(['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE']), key(), key(), key()],
      () => ['SINTERCARD', choose(['1', '2', '0', '5']), key(), key(), ...some(choose, ['LIMIT', int()])],
      () => ['SRANDMEMBER', key(), '100'],
      () => ['SPOP', key(), '100'],
      () => ['SET', key(), value()],
      () => ['DEL', key()],
    ])();
  },
  zsets: (choose) => {
    const { key, int, value, member, score, bound } = vocabulary(choose);
    return choose<() => string[]>([
      () => [
        'ZADD',
        key(),
        ...some(choose, ['NX'], ['XX'], ['GT'], ['LT'], ['CH'], ['INCR'], ['NX', 'XX'], ['GT', 'NX']),
        score(),
        member(),
        ...some(choose, [score(), member()], [score()]),
      ],
      () => ['ZINCRBY', key(), score(), member()],
      () => ['ZSCORE', key(), member()],
      () => ['ZMSCORE', key(), member(), member()],
      () => [choose(['ZRANK', 'ZREVRANK']), key(), member()],
      () => ['ZREM', key(), member(), member()],
      () => ['ZCARD', key()],
      () => ['ZRANGE', key(), int(), int(), ...some(choose, ['WITHSCORES'], ['REV'], ['LIMIT', '0', '1'])],
      () => [
        'ZRANGE',
        key(),
        bound(),
        bound(),
        'BYSCORE',
        ...some(choose, ['WITHSCORES'], ['REV'], ['LIMIT', int(), int()]),
      ],
      () => [choose(['ZRANGEBYSCORE', 'ZREVRANGEBYSCORE']), key(), bound(), bound(), ...some(choose, ['WITHSCORES'])],
      () => ['ZCOUNT', key(), bound(), bound()],
      () => ['ZREMRANGEBYRANK', key(), int(), int()],
      () => ['ZREMRANGEBYSCORE', key(), bound(), bound()],
      () => [choose(['ZPOPMIN', 'ZPOPMAX']), key(), ...some(choose, [int()])],
      () => ['ZMPOP', choose(['1', '2', '0']), key(), key(), choose(['MIN', 'MAX']), ...some(choose, ['COUNT', int()])],
      () => [
        choose(['ZUNION', 'ZINTER', 'ZDIFF']),
        choose(['2', '1', '0']),
        key(),
        key(),
        ...some(choose, ['WITHSCORES'], ['WEIGHTS', '2', '3'], ['AGGREGATE', 'MAX']),
      ],
      () => [choose(['ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE']), key(), '2', key(), key()],
      () => ['ZINTERCARD', '2', key(), key(), ...some(choose, ['LIMIT', int()])],
      () => ['ZRANGESTORE', key(), key(), int(), int()],
      () => ['SADD', key(), member()],
      () => ['SET', key(), value()],
      () => ['DEL', key()],
    ])();
  },
  streams: (choose) => {
    const key = (): string => choose(['s1', 's2']);
    const id = (): string => choose(['1-1', '5', '9-0', '0', '12-2', '20-0', '33-1']);
    const edge = (): string => choose(['-', '+', id(), `(${id()}`]);
    const group = (): string => choose(['g1', 'g2']);
    const consumer = (): string => choose(['c1', 'c2']);
    return choose<() => string[]>([
      () => [
        'XADD',
        key(),
        ...some(choose, ['MAXLEN', '5'], ['MAXLEN', '~', '5'], ['MINID', id()], ['NOMKSTREAM'], ['LIMIT', '3']),
        choose([id(), '40-*', 'x']),
        'f',
        choose(['v', 'w']),
      ],
      () => ['XLEN', key()],
      () => ['XRANGE', key(), edge(), edge(), ...some(choose, ['COUNT', '2'], ['COUNT', '0'])],
      () => ['XREVRANGE', key(), edge(), edge()],
      () => ['XDEL', key(), id(), id()],
      () => ['XTRIM', key(), ...some(choose, ['MAXLEN', '4'], ['MINID', id()], ['FOO'])],
      () => ['XREAD', 'COUNT', '2', 'STREAMS', key(), id()],
      () => [
        'XREADGROUP',
        'GROUP',
        group(),
        consumer(),
        ...some(choose, ['COUNT', '2'], ['NOACK']),
        'STREAMS',
        key(),
        choose(['>', '0', id()]),
      ],
      () => ['XGROUP', 'CREATE', key(), group(), choose(['0', '$', id()]), ...some(choose, ['MKSTREAM'])],
      () => ['XGROUP', choose(['DESTROY']), key(), group()],
      () => ['XACK', key(), group(), id(), id()],
      () => ['XPENDING', key(), group()],
      () => [
        'XCLAIM',
        key(),
        group(),
        consumer(),
        '0',
        id(),
        ...some(choose, ['JUSTID'], ['FORCE'], ['RETRYCOUNT', '5'], ['BAR']),
      ],
      () => ['XAUTOCLAIM', key(), group(), consumer(), '0', '0', ...some(choose, ['COUNT', '2'], ['JUSTID'])],
      () => ['DEL', key()],
    ])();
  },
};

/** Commands whose elements may come in any order. */
export const unordered = new Set(['SMEMBERS', 'SINTER', 'SUNION', 'SDIFF', 'SRANDMEMBER', 'SPOP']);
