/**
 * The server's log: one JSON object a line on standard error, or readable lines when a person watches. Secrets are
 * taken out of the fields before anything is written.
 */

import { type DestinationStream, destination, pino, stdSerializers, stdTimeFunctions } from 'pino';

/** The part of a structured logger that the server's parts use: fields first, then one sentence. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** `pretty`: lines for people. Default: `pretty` when standard error is a terminal. */
  readonly format?: 'json' | 'pretty';
  /** Where lines go; default standard error, written at once, so that nothing is lost in a crash. */
  readonly output?: DestinationStream;
}

export function openLogger(options: LoggerOptions = {}): Logger {
  const output = options.output ?? destination({ dest: 2, sync: true });
  const format = options.format ?? (process.stderr.isTTY ? 'pretty' : 'json');
  return pino(
    {
      level: options.level ?? 'info',
      base: undefined,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (level) => ({ level }),
        log: (fields) => redacted(fields, 0) as Record<string, unknown>,
      },
      serializers: { err: (error: unknown) => error },
    },
    format === 'pretty' ? prettyStream(output) : output,
  );
}

// --- secrets --------------------------------------------------------------------------------------------------------

const censored = '[redacted]';
/** Fields deeper than this are left out of the log. */
const depthMax = 6;
/** Names of fields that hold secrets, whatever the case and punctuation: `requirepass`, `client_secret`, `apiKey`. */
const secretName =
  /pass(word|wd|phrase)?$|secret|token$|^auth$|authorization|credential|cookie|privatekey|apikey|^tlskey|salted|verifier/;
/** The password of a URL: `postgres://user:password@host`. */
const urlPassword = /(\w+:\/\/[^\s:/@]*):[^\s@/]*@/g;

function redacted(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.replace(urlPassword, `$1:${censored}@`);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= depthMax) return '[…]';
  if (value instanceof Error) return redactedError(value, depth);
  if (Array.isArray(value)) return value.map((element: unknown) => redacted(element, depth + 1));
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Date) return value;
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const plainName = name.toLowerCase().replace(/[^a-z]/g, '');
    fields[name] = secretName.test(plainName) && field !== undefined ? censored : redacted(field, depth + 1);
  }
  return fields;
}

/** Type, message, stack and own fields such as `code`; causes are part of the first two. */
function redactedError(error: Error, depth: number): unknown {
  const { raw: _raw, ...fields } = stdSerializers.err(error);
  return redacted({ ...fields }, depth + 1);
}

// --- lines for people -----------------------------------------------------------------------------------------------

/** Rewrites pino's JSON lines as `12:00:00.000 WARN  text  field=value`. */
function prettyStream(output: DestinationStream): DestinationStream {
  return {
    write(line: string): void {
      output.write(prettyLine(line));
    },
  };
}

function prettyLine(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  let text = `${clock} ${String(level).toUpperCase().padEnd(5)} ${String(msg)}`;
  for (const [name, value] of Object.entries(fields)) {
    text += `  ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  }
  if (typeof err === 'object' && err !== null) {
    const { stack, message } = err as { stack?: unknown; message?: unknown };
    text += `\n  ${String(stack ?? message).replaceAll('\n', '\n  ')}`;
  } else if (err !== undefined) text += `  err=${String(err)}`;
  return `${text}\n`;
}
