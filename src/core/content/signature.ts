// SPDX-License-Identifier: GPL-2.0-or-later
// What a signature is, and how one is looked for. The signatures themselves are in the tables beside this file.
import { type Block, magicBytes, type Probe } from './probe';

export type ContentClass =
  'filesystem' | 'partition-table' | 'raid' | 'lvm' | 'crypto' | 'swap' | 'container' | 'other';

/** Absolute bytes of the source, half-open. */
export interface ByteRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Something that was recognised. */
export interface ContentMatch {
  readonly id: string;
  /** For a person, e.g. "ext4 file system". */
  readonly name: string;
  readonly class: ContentClass;
  /** Absolute byte of the magic in the source. */
  readonly offset: bigint;
  /** The bytes that make it recognisable; without them it is no longer taken for what it was (as wipefs does it). */
  readonly wipe: readonly ByteRange[];
  /** Label, UUID or version where they are cheap to have. Comes from the disk: escape it before it is shown. */
  readonly detail?: string;
}

/** A place where a structure may start: bytes from the window's start, or computed from the window's size in bytes. */
export type Place = number | ((size: bigint) => bigint);

/** What a check sees: the structure's bytes and where it starts in the window. */
export interface Candidate {
  readonly block: Block;
  readonly start: bigint;
  readonly probe: Probe;
}

/** What a check may add to the table's words. Offsets are bytes from the structure's start. */
export interface Recognised {
  readonly id?: string;
  readonly name?: string | undefined;
  readonly detail?: string | undefined;
  readonly magicAt?: number;
  readonly wipe?: readonly { readonly at: number; readonly length: number }[];
}

export interface Signature {
  readonly id: string;
  readonly name: string;
  readonly class: ContentClass;
  readonly at: readonly Place[];
  /** Any of them stands at `magicAt` of the structure. An empty magic leaves it all to the check. */
  readonly magics: readonly Uint8Array[];
  readonly magicAt: number;
  /** Bytes of the structure that the check looks at. */
  readonly size: number;
  /** Says whether the rest of the structure fits; magics below 4 bytes prove nothing by themselves. */
  readonly check: (candidate: Candidate) => Recognised | boolean;
}

/** Offset of a structure that starts at the last but `blocks`-th block of `unit` bytes. */
export function fromEnd(blocks: bigint, unit: bigint): Place {
  return (size) => (size / unit - blocks) * unit;
}

/** A table row; magics are written as strings of characters up to U+00FF. */
export function signature(
  id: string,
  name: string,
  kind: ContentClass,
  at: readonly Place[],
  magics: readonly string[],
  rest: { readonly magicAt?: number; readonly size?: number; readonly check?: Signature['check'] } = {},
): Signature {
  const longest = Math.max(...magics.map((magic) => magic.length));
  return {
    id,
    name,
    class: kind,
    at,
    magics: magics.map(magicBytes),
    magicAt: rest.magicAt ?? 0,
    size: Math.max(rest.size ?? 0, (rest.magicAt ?? 0) + longest, 1),
    check: rest.check ?? (() => true),
  };
}

/** `label "x", uuid y` of what is there; undefined if nothing is. */
export function describe(facts: { label?: string; uuid?: string; version?: string }): string | undefined {
  const words: string[] = [];
  if (facts.version !== undefined && facts.version !== '') words.push(`version ${facts.version}`);
  if (facts.label !== undefined && facts.label !== '') words.push(`label "${facts.label}"`);
  if (facts.uuid !== undefined && /[1-9a-z]/i.test(facts.uuid)) words.push(`uuid ${facts.uuid}`);
  return words.length === 0 ? undefined : words.join(', ');
}

/** All places of the window where this signature is found. */
export function findSignature(wanted: Signature, probe: Probe): ContentMatch[] {
  const matches: ContentMatch[] = [];
  const tried = new Set<bigint>();
  for (const place of wanted.at) {
    const start = typeof place === 'number' ? BigInt(place) : probe.size === null ? -1n : place(probe.size);
    // A small device can make a place at its end the same as one at its start.
    if (start < 0n || tried.has(start)) continue;
    tried.add(start);
    const match = matchAt(wanted, probe, start);
    if (match !== undefined) matches.push(match);
  }
  return matches;
}

function matchAt(wanted: Signature, probe: Probe, start: bigint): ContentMatch | undefined {
  const magic = wanted.magics.find(
    (each) =>
      each.length === 0 || probe.block(start + BigInt(wanted.magicAt), each.length)?.has(0, each) === true,
  );
  if (magic === undefined) return undefined;
  const block = probe.block(start, wanted.size);
  const verdict = block !== undefined && wanted.check({ block, start, probe });
  if (verdict === false) return undefined;
  const found: Recognised = verdict === true ? {} : verdict;
  const magicAt = found.magicAt ?? wanted.magicAt;
  const wipe = found.wipe ?? [{ at: magicAt, length: magic.length }];
  const origin = probe.base + start;
  return {
    id: found.id ?? wanted.id,
    name: found.name ?? wanted.name,
    class: wanted.class,
    offset: origin + BigInt(magicAt),
    wipe: wipe.map(({ at, length }) => ({ start: origin + BigInt(at), end: origin + BigInt(at + length) })),
    ...(found.detail === undefined ? {} : { detail: found.detail }),
  };
}
