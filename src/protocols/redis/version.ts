/** The version of Redis whose behaviour this server follows. */
export const redisVersion = '7.2.5';
export const redisVersionNumber = 0x00070205;
