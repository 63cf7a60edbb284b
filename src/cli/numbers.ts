// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers in the values of options. Everything that is not exactly a number is refused: "1O" must not become 1.
import { Fault } from '../core/faults';

/** A whole number, decimal or 0x hexadecimal, or null. */
export function wholeNumber(text: string): bigint | null {
  return /^([0-9]{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text) ? BigInt(text) : null;
}

/** A whole number in [least, most]; else Fault USAGE that names the option ('--block-size'). */
export function numberOption(option: string, text: string, least: bigint, most: bigint): bigint {
  const value = wholeNumber(text);
  if (value === null) throw new Fault('USAGE', { what: `${option}: '${text}' is not a whole number` });
  if (value < least || value > most) {
    throw new Fault('USAGE', { what: `${option}: ${text} is not in ${least} to ${most}` });
  }
  return value;
}
