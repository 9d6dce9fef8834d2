/** The version of memcached whose behaviour this server follows. */
export const memcachedVersion = '1.6.18';
