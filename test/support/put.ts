// SPDX-License-Identifier: GPL-2.0-or-later
// Writes integers and text into bytes, for generators of foreign content. Nothing here knows a format.

/** Writes relative to `at` of `bytes`. */
export class Put {
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    private readonly at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(offset: number, ...values: number[]): this {
    this.bytes.set(values, this.at + offset);
    return this;
  }
  u16(offset: number, value: number): this {
    this.view.setUint16(this.at + offset, value, true);
    return this;
  }
  u32(offset: number, value: number): this {
    this.view.setUint32(this.at + offset, value, true);
    return this;
  }
  u64(offset: number, value: bigint): this {
    this.view.setBigUint64(this.at + offset, value, true);
    return this;
  }
  u16be(offset: number, value: number): this {
    this.view.setUint16(this.at + offset, value, false);
    return this;
  }
  u32be(offset: number, value: number): this {
    this.view.setUint32(this.at + offset, value, false);
    return this;
  }
  u64be(offset: number, value: bigint): this {
    this.view.setBigUint64(this.at + offset, value, false);
    return this;
  }
  /** Characters up to U+00FF, one byte each. */
  text(offset: number, text: string): this {
    return this.u8(offset, ...Array.from(text, (character) => character.charCodeAt(0)));
  }
  uuid(offset: number, text: string): this {
    const hex = text.replace(/-/g, '');
    return this.u8(
      offset,
      ...Array.from({ length: 16 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16)),
    );
  }
  /** A GUID as GPT stores it. */
  guid(offset: number, text: string): this {
    const [a = '', b = '', c = '', d = '', e = ''] = text.split('-');
    const turn = (hex: string): string => (hex.match(/../g) ?? []).reverse().join('');
    return this.uuid(offset, turn(a) + turn(b) + turn(c) + d + e);
  }
}

export const UUID = '5c6a1e0e-9a3b-4c55-8f0a-2b7d9c1e4f60';
