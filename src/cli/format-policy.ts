// SPDX-License-Identifier: GPL-2.0-or-later
// The options that set the policy fields of CONFIG, in one table: which field, which values. The rest of
// dmremap-format's command line is in format.ts.
import { Fault } from '../core/faults';
import { encodeUtf8 } from '../core/bytes';
import { MAX_TUNABLES, SPARE_POLICY } from '../core/layout';
import { DEFAULT_POLICY } from '../core/newsetup';
import type { Policy, PolicyField } from '../core/newsetup';
import { numberOption } from './numbers';
import type { OptionSpec, ParsedArgs } from './spec';

type PolicyOption = {
  readonly name: string;
  readonly field: PolicyField;
  readonly help: string;
} & (
  | { readonly kind: 'number'; readonly value: string; readonly least: number; readonly most: number }
  /** A flag that sets the field to this. */
  | { readonly kind: 'flag'; readonly sets: 0 | 1 }
  /** The field is the index of the word. */
  | { readonly kind: 'word'; readonly value: string; readonly words: readonly string[] }
);

const U32 = 0xffffffff;

/** One option for each field of Policy, in the order of the fields in CONFIG. */
export const POLICY_OPTIONS: readonly PolicyOption[] = [
  {
    name: 'scan-interval',
    field: 'scanIntervalS',
    kind: 'number',
    value: 'SECONDS',
    least: 0,
    most: U32,
    help: 'Time between two scans of main in the background; 0 for none.',
  },
  {
    name: 'scan-chunk-min',
    field: 'scanChunkMin',
    kind: 'number',
    value: 'SECTORS',
    least: 1,
    most: U32,
    help: 'Least that one step of a scan reads.',
  },
  {
    name: 'scan-chunk-max',
    field: 'scanChunkMax',
    kind: 'number',
    value: 'SECTORS',
    least: 1,
    most: U32,
    help: 'Most that one step of a scan reads.',
  },
  {
    name: 'slow-io-ms',
    field: 'slowIoMs',
    kind: 'number',
    value: 'MS',
    least: 0,
    most: U32,
    help: 'A read that takes longer than this counts as slow.',
  },
  {
    name: 'remap-threshold',
    field: 'remapThreshold',
    kind: 'number',
    value: 'ERRORS',
    least: 1,
    most: U32,
    help: 'Errors before a sector that a scan found bad is moved.',
  },
  {
    name: 'alert-threshold',
    field: 'alertThreshold',
    kind: 'number',
    value: 'SCORE',
    least: 0,
    most: 100,
    help: 'Health score (0 to 100) below which an alert is due.',
  },
  {
    name: 'no-auto-remap',
    field: 'autoRemap',
    kind: 'flag',
    sets: 0,
    help: 'Do not remap by itself: failed writes fail.',
  },
  {
    name: 'maintenance',
    field: 'maintenanceMode',
    kind: 'flag',
    sets: 1,
    help: 'Begin in maintenance mode.',
  },
  {
    name: 'spare-policy',
    field: 'sparePolicy',
    kind: 'word',
    value: 'POLICY',
    words: SPARE_POLICY,
    help: 'Which spare a new remap goes to.',
  },
  {
    name: 'min-copies',
    field: 'minCopies',
    kind: 'number',
    value: 'N',
    least: 1,
    most: 5,
    help: 'A commit that reaches fewer copies than this on every spare fails.',
  },
  {
    name: 'require-confirmation',
    field: 'requireConfirmation',
    kind: 'flag',
    sets: 1,
    help: 'Reassembly at boot waits for a person.',
  },
  {
    name: 'read-only',
    field: 'readOnly',
    kind: 'flag',
    sets: 1,
    help: 'Reassembly opens the setup for reading only.',
  },
  {
    name: 'no-allow-degraded',
    field: 'allowDegraded',
    kind: 'flag',
    sets: 0,
    help: 'No reassembly while a spare is missing.',
  },
  {
    name: 'allow-size-mismatch',
    field: 'allowSizeMismatch',
    kind: 'flag',
    sets: 1,
    help: 'Reassembly accepts devices whose sizes have changed.',
  },
  {
    name: 'no-check-main-size',
    field: 'checkMainSize',
    kind: 'flag',
    sets: 0,
    help: 'Reassembly does not compare the size of main.',
  },
  {
    name: 'no-check-spare-size',
    field: 'checkSpareSize',
    kind: 'flag',
    sets: 0,
    help: 'Reassembly does not compare the sizes of the spares.',
  },
  {
    name: 'check-fs-uuid',
    field: 'checkFsUuid',
    kind: 'flag',
    sets: 1,
    help: 'Reassembly compares the uuid of the file system on main.',
  },
  {
    name: 'pre-checks',
    field: 'preChecks',
    kind: 'number',
    value: 'MASK',
    least: 0,
    most: U32,
    help: 'Bit mask of the checks before reassembly, decimal or 0x hexadecimal.',
  },
  {
    name: 'post-checks',
    field: 'postChecks',
    kind: 'number',
    value: 'MASK',
    least: 0,
    most: U32,
    help: 'Bit mask of the checks after reassembly, decimal or 0x hexadecimal.',
  },
];

/** The table as options of a command. */
export function policyOptionSpecs(): OptionSpec[] {
  return POLICY_OPTIONS.map((option): OptionSpec => {
    const { name, help } = option;
    if (option.kind === 'flag') return { name, kind: 'flag', help };
    const usual = DEFAULT_POLICY[option.field];
    if (option.kind === 'number')
      return { name, kind: 'value', value: option.value, help: `${help} Default ${usual}.` };
    const word = option.words[usual] ?? '';
    return {
      name,
      kind: 'value',
      value: option.value,
      choices: option.words,
      help: `${help} Default ${word}.`,
    };
  });
}

/** The policy that was asked for. Fault USAGE for values out of range. */
export function policyFrom(args: ParsedArgs): Policy {
  const policy: Record<PolicyField, number> = { ...DEFAULT_POLICY };
  for (const option of POLICY_OPTIONS) {
    if (!args.given(option.name)) continue;
    if (option.kind === 'flag') {
      policy[option.field] = option.sets;
      continue;
    }
    const text = args.value(option.name) ?? '';
    policy[option.field] =
      option.kind === 'word'
        ? option.words.indexOf(text)
        : Number(numberOption(`--${option.name}`, text, BigInt(option.least), BigInt(option.most)));
  }
  if (policy.scanChunkMin > policy.scanChunkMax) {
    throw new Fault('USAGE', {
      what: `--scan-chunk-min (${policy.scanChunkMin}) is above --scan-chunk-max (${policy.scanChunkMax})`,
    });
  }
  return policy;
}

/** Of a tunable's name, the NUL included. */
const TUNABLE_NAME_BYTES = 32;

/** NAME=VALUE, as often as given. Fault USAGE where one is malformed or a name comes twice. */
export function tunablesFrom(texts: readonly string[]): { name: string; value: bigint }[] {
  const usage = (what: string): Fault => new Fault('USAGE', { what: `--tunable: ${what}` });
  if (texts.length > MAX_TUNABLES) throw usage(`${texts.length} were given; ${MAX_TUNABLES} fit`);
  const tunables: { name: string; value: bigint }[] = [];
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = text.slice(0, Math.max(equals, 0));
    if (name === '' || /[\x00-\x20\x7f-\x9f]/.test(name)) throw usage(`'${text}' is not NAME=VALUE`);
    if (encodeUtf8(name).length >= TUNABLE_NAME_BYTES) {
      throw usage(`the name '${name}' is longer than ${TUNABLE_NAME_BYTES - 1} bytes`);
    }
    if (tunables.some((other) => other.name === name)) throw usage(`'${name}' was given twice`);
    tunables.push({
      name,
      value: numberOption(`--tunable ${name}`, text.slice(equals + 1), 0n, (1n << 64n) - 1n),
    });
  }
  return tunables;
}
