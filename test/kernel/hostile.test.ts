// SPDX-License-Identifier: GPL-2.0-or-later
// Thousands of mutated spares, their checksums mended, are loaded by the real kernel. Each is refused with words, and then
// nothing is written; or it is sound and works. What it must be is known from the user-space build of the same code.
// DMREMAP_HOSTILE is their number, DMREMAP_SEED other ones than usual.
import { fromEnvironment } from '../support/fixed-runs';
import { HISTORIES, history } from '../support/histories';
import { askJudge, buildJudge } from '../support/kernel-judge';
import { removeTree, temporaryDirectory } from '../support/temporary';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import type { Expected, Hostile, Spoken } from '../support/kernel/hostile-images';
import {
  expectedOf,
  hostile,
  MAIN_SECTORS,
  plant,
  slotsOn,
  SPARE_SECTORS,
  tableOf,
} from '../support/kernel/hostile-images';
import { Lab } from '../support/kernel/lab';

const IMAGES = fromEnvironment('DMREMAP_HOSTILE', 5000);
const ON_NEWER = Math.ceil(IMAGES / 25);
const FIRST_SEED = 7_000_000 + fromEnvironment('DMREMAP_SEED', 0) * 100_000_000;
/** A boot may take a minute; so long after its start it is given new images. */
const BOOT_MS = 50_000;
/** Judged with one process. */
const PORTION = 100;
/** Making and removing a device waits for grace periods of RCU, which is most of the time that it takes. */
const QUICK = 'rcupdate.rcu_expedited=1';
const MOST_FAILURES = 5;

const SMALL = [
  ...HISTORIES,
  history('one spare, other uuids', { entries: 20, lostAndRetired: true, id: 5 }),
  history('blocks of 4096 bytes', {
    entries: 30,
    devices: { 1: { logicalBlockSize: 4096, physicalBlockSize: 4096 } },
  }),
];

interface Prepared {
  readonly image: Hostile;
  readonly expected: Expected;
}

/** What an image had become when it was stopped. */
interface Left {
  readonly image: Hostile;
  readonly spares: readonly ReturnType<typeof slotsOn>[];
}

describeKernel('hostile metadata', () => {
  // Longer than a boot: what comes from one, or goes to many, is judged here too.
  jest.setTimeout(1_500_000);
  let lab: Lab;
  let folder = '';
  let judge = '';
  const outcomes = new Map<string, number>();

  beforeAll(async () => {
    folder = temporaryDirectory();
    judge = buildJudge(folder, 'quick');
    lab = await Lab.open({
      disks: [
        { name: 'main', sectors: MAIN_SECTORS },
        ...[0, 1, 2].map((i) => ({ name: `spare${i}`, sectors: SPARE_SECTORS })),
      ],
    });
  });
  afterAll(async () => {
    removeTree(folder);
    await lab.close();
  });

  const spareDisks = (): Lab['rack']['disks'] => lab.rack.disks.slice(1);
  const writes = (): number => lab.rack.disks.reduce((sum, disk) => sum + disk.counts.write, 0);
  const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);

  /** Loads an image; what went wrong, '' if nothing did. */
  async function load(guest: Guest, image: Hostile, expected: Expected): Promise<string> {
    plant(image, spareDisks());
    const before = writes();
    const mark = guest.console.mark;
    const { error } = await guest.tryDm('create', 'bad', tableOf(image));
    if (error !== 'ok') {
      if (expected.loads === 'no' || expected.loads === 'maybe')
        await guest.console.until(expected.words, mark, 2000);
      if (expected.loads !== 'no' && expected.loads !== 'maybe')
        return `it was refused, but should load ${expected.loads}: ${guest.console.since(mark)}`;
      if (writes() !== before && expected.words.source.indexOf('too few copies') === -1)
        return 'it was refused, but something was written';
      count(expected.words.source.replace(/\\/g, '').split(':')[0] ?? '');
      return '';
    }
    const wrong = await use(guest, expected);
    await guest.dm('remove', 'bad');
    if (expected.loads === 'read-only' && writes() !== before) return 'it was read-only, but written';
    count(`loads ${expected.loads}`);
    return wrong;
  }

  /** A few requests, as an innocent user would send them. */
  async function use(guest: Guest, expected: Expected): Promise<string> {
    if (expected.loads === 'no') return `it was loaded, but should be refused: ${expected.words.source}`;
    // Together: most of the time of a call is its way there and back.
    const [status, list] = await Promise.all([guest.status('bad'), guest.message('bad', 'list', '0', '6')]);
    const mode = expected.loads === 'read-only' ? 'ro' : 'rw';
    if (!status.startsWith(`${mode} `)) return `status ${status}`;
    const entries = [...list.matchAll(/^(\d+) (\d+) \d+ \d+ (live|lost)/gm)];
    const places = [0, MAIN_SECTORS - 8, ...entries.slice(0, 3).map(([, sector]) => Number(sector))];
    const readable = places.filter((first) => first % 8 === 0 && first <= MAIN_SECTORS - 8);
    const reads = await Promise.all(readable.map(async (first) => await guest.read('bad', first, 8)));
    for (const [i, first] of readable.entries()) {
      const lost = entries.some(([, at, , kind]) => kind === 'lost' && Number(at) === first);
      if (lost && reads[i] !== `${first}+8:EIO`) return `lost sectors at ${first} read ${reads[i] ?? ''}`;
    }
    if (mode === 'ro') return '';
    const at = places[2] !== undefined && places[2] % 8 === 0 ? places[2] : 0;
    const written = await guest.write('bad', at, 8, 77);
    const answer = await guest.read('bad', at, 8);
    // A spare that is missing, or is dead, may hold it.
    if (written === `${at}+8:ok` && answer !== `${at}+8:v77`) return `${at} was written and reads ${answer}`;
    return '';
  }

  /** Images, each with what must become of it. */
  function prepare(first: number, number: number): Prepared[] {
    const images = Array.from({ length: number }, (_unused, i) => hostile(SMALL, first + i));
    const answers = askJudge(
      judge,
      images.map(({ question }) => question),
    ) as Spoken[];
    return images.map((image, i) => {
      const decision = answers[i];
      if (decision === undefined) throw new Error('the judge gave no answer');
      return { image, expected: expectedOf(image, decision) };
    });
  }

  /** What was loaded and stopped is sound, and all of it is whole; words for what is not. */
  function afterwards(left: readonly Left[]): string[] {
    const answers = askJudge(
      judge,
      left.map(({ image, spares }) => ({ setupUuid: image.setupUuid, spares })),
    );
    return answers.flatMap(({ refusal, unsound, rule, why }, i) =>
      refusal === 'ok' && !unsound
        ? []
        : [`seed ${left[i]?.image.seed ?? 0}: left as ${refusal} ${rule ?? why ?? ''}`],
    );
  }

  /** Has a guest load images until its time is over or none is left; what is left of them afterwards is judged too. */
  async function run(
    guest: Guest,
    images: Iterator<Prepared>,
  ): Promise<{ failures: string[]; over: boolean }> {
    const end = performance.now() + BOOT_MS;
    const failures: string[] = [];
    const left: Left[] = [];
    let over = false;
    while (performance.now() < end && failures.length < MOST_FAILURES) {
      const next = images.next();
      over = next.done === true;
      if (next.done === true) break;
      const { image, expected } = next.value;
      let wrong = '';
      try {
        wrong = await load(guest, image, expected);
      } catch (error) {
        wrong = error instanceof Error ? error.message : String(error);
      }
      if (wrong !== '') failures.push(`seed ${image.seed} (${image.story}): ${wrong}`);
      if (expected.loads === 'writable' && !image.spares.includes(null))
        left.push({ image, spares: image.spares.map((_spare, spare) => slotsOn(spareDisks()[spare]!)) });
    }
    failures.push(...afterwards(left));
    return { failures, over };
  }

  function* imagesFrom(first: number, number: number): Generator<Prepared, undefined> {
    for (let done = 0; done < number; done += PORTION)
      yield* prepare(first + done, Math.min(PORTION, number - done));
  }

  async function runAll(kernel: '6.1' | '6.12', first: number, number: number): Promise<void> {
    const began = performance.now();
    const images = imagesFrom(first, number);
    let boots = 0;
    for (let over = false; !over; boots++) {
      const guest = await lab.boot({ kernel, append: QUICK });
      const result = await run(guest, images);
      expect(result.failures).toEqual([]);
      await lab.kill();
      over = result.over;
    }
    const seconds = Math.round((performance.now() - began) / 1000);
    console.info(`${number} mutated setups on ${kernel}: ${boots} boots, ${seconds} s`);
  }

  test(`of ${IMAGES} setups is refused or works`, async () => {
    await runAll('6.1', FIRST_SEED, IMAGES);
  });

  test(`of ${ON_NEWER} setups is refused or works on a newer kernel`, async () => {
    await runAll('6.12', FIRST_SEED + IMAGES, ON_NEWER);
  });

  test('was of many kinds', () => {
    console.info(JSON.stringify([...outcomes].sort()));
    for (const kind of [
      'loads writable',
      'loads read-only',
      'a newer generation is lost',
      'unsound',
      'a split',
    ])
      expect([kind, [...outcomes.keys()].some((key) => key.startsWith(kind))]).toEqual([kind, true]);
  });
});
