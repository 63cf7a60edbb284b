// SPDX-License-Identifier: GPL-2.0-or-later
// What a person or a program is told when a command ends with a Fault, and the documents that belong to no command.
// Nothing is printed here.
import { forTerminal } from '../core/escape';
import { EXIT, Fault } from '../core/faults';
import { faultJson } from '../render/fault';
import type { Binding, Failure } from './spec';
import { TOOLKIT } from './toolkit';

/** Any thrown value as a Fault; whatever was not thrown on purpose is INTERNAL. */
export function asFault(error: unknown, command: string): Fault {
  if (error instanceof Fault) {
    return error.code === 'USAGE' ? new Fault('USAGE', { command, ...error.fields }) : error;
  }
  return new Fault('INTERNAL', { what: error instanceof Error ? error.message : String(error) });
}

/** For stderr: the sentence and the hint, harmless for a terminal; with `cause`, its stack too. */
export function failureText(command: string, fault: Fault, cause: unknown): string {
  const lines = [`${command}: ${forTerminal(fault.sentence)}`];
  if (fault.hint !== undefined) lines.push(forTerminal(fault.hint));
  if (cause instanceof Error && fault.code === 'INTERNAL') {
    lines.push(...(cause.stack ?? '').split('\n').map(forTerminal));
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** The document of a command that ended with `fault`. */
export function failureDocument(binding: Binding, fault: Fault): unknown {
  const failure: Failure = { fault, exitCode: fault.exit, tool: TOOLKIT, error: faultJson(fault) };
  if (binding.failureDocument) return binding.failureDocument(failure);
  return { schema: binding.spec.schema, tool: TOOLKIT, exitCode: failure.exitCode, error: failure.error };
}

/** --help or --version together with --json. */
export function aboutDocument(text: string): unknown {
  return { schema: 'dmremap.about/1', tool: TOOLKIT, exitCode: EXIT.fine, text };
}
