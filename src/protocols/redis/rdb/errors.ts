/** An RDB file or DUMP payload that cannot be read: damaged, cut off, or of a kind this server does not know. */
export class RdbError extends Error {}
