/**
 * The first byte of every engine key names its owner, so that parts of the server share one store without meeting.
 * Each owner documents what follows its byte beside the code that writes it.
 *
 * No key begins with the byte 0xff: ranges end there.
 */
export const KeyPrefix = {
  /** Users, roles and secrets (`access/`). */
  access: 'a',
  /** The column-family model. */
  columnFamily: 'c',
  /** The document model. */
  document: 'd',
  /** The graph model. */
  graph: 'g',
  /** The key-value model. */
  keyValue: 'k',
  /** The server itself. */
  server: 's',
} as const;
