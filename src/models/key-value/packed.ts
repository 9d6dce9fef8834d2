/** The small encodings' bytes: elements one after the other, each as its length (LEB128) and its bytes. */

/** All elements, as byte strings. */
export function unpack(bytes: Buffer, start = 0): string[] {
  const elements: string[] = [];
  let at = start;
  while (at < bytes.length) {
    let length = bytes[at++] ?? 0;
    if (length >= 128) {
      length &= 127;
      for (let shift = 7; ; shift += 7) {
        const byte = bytes[at++] ?? 0;
        length += (byte & 127) * 2 ** shift;
        if (byte < 128) break;
      }
    }
    elements.push(bytes.latin1Slice(at, at + length));
    at += length;
  }
  return elements;
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

export function packedSize(elements: readonly string[]): number {
  let size = 0;
  for (const element of elements) size += lengthBytes(element.length) + element.length;
  return size;
}

export function pack(elements: readonly string[]): Buffer {
  const bytes = Buffer.allocUnsafe(packedSize(elements));
  let at = 0;
  for (const element of elements) {
    let length = element.length;
    while (length >= 128) {
      bytes[at++] = (length & 127) | 128;
      length = Math.floor(length / 128);
    }
    bytes[at++] = length;
    at += bytes.latin1Write(element, at);
  }
  return bytes;
}
