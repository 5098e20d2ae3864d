/** Little-endian bytes of growing length; integers as LEB128, so that small counts take one byte. */

import { QuantscopeError } from '../../shared/errors';

export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  #reserve(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return at;
  }

  float64(value: number): void {
    const at = this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(at, value, true);
  }

  /** A whole number from 0 to 2^53. */
  varint(value: number): void {
    let rest = value;
    // Division, not shifts: counts may need more than 32 bits.
    while (rest >= 128) {
      const at = this.#reserve(1);
      this.#bytes[at] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    const at = this.#reserve(1);
    this.#bytes[at] = rest;
  }

  /** The length, then the bytes. */
  block(bytes: Uint8Array): void {
    this.varint(bytes.length);
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Reads what a ByteWriter wrote; throws `data-invalid` beyond the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  #advance(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) throw new QuantscopeError('data-invalid', 'The stored data end too early.');
    this.#at += size;
    return at;
  }

  float64(): number {
    const at = this.#advance(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat64(at, true);
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.#bytes[this.#advance(1)]!;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
    throw new QuantscopeError('data-invalid', 'The stored data hold a number that is too long.');
  }

  block(): Uint8Array {
    const length = this.varint();
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }
}
