// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds the table of entries and the allocator (dmr-map.c) against models that
 * are too simple to be wrong: one record for each sector.
 *
 *	map <seed> <rounds>
 *
 * Prints a line of JSON about what was done; ends with an abort where the two
 * differ.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../dmr-map.h"

/* Small, so that everything meets everything. */
#define SECTORS 96u
#define SPACE 256u
#define ROOM 40u

static u64 seed, round_number, state;
static u64 put, refused, merged, retirements, joined, tamed, kept, allocated;

#define promise(condition)                                                                     \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fprintf(stderr, "%s:%d: seed %llu round %llu: broken: %s\n", __FILE__,  \
				__LINE__, (unsigned long long)seed,                            \
				(unsigned long long)round_number, #condition);                 \
			abort();                                                               \
		}                                                                              \
	} while (0)

static u64 draw(void)
{
	/* splitmix64 */
	u64 z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static u32 below(u32 n)
{
	return draw() % n;
}

/* -- the table -------------------------------------------------------------------- */

struct fate {
	enum dmr_run_kind kind;
	u8 spare_index;
	u64 spare;
};

static struct fate model[SECTORS];
static struct dmr_table table;

static void check_order(const struct dmr_table *t)
{
	u32 i;

	promise(t->live <= t->count && t->count <= DMR_MAX_ENTRIES);
	for (i = 0; i < t->live; i++) {
		promise(t->e[i].len > 0 && t->e[i].main != DMR_RETIRED);
		if (i)
			promise(t->e[i - 1].main + t->e[i - 1].len <= t->e[i].main);
	}
	for (i = t->live; i < t->count; i++) {
		promise(t->e[i].main == DMR_RETIRED);
		if (i > t->live && t->e[i - 1].spare_index == t->e[i].spare_index)
			promise(t->e[i - 1].spare <= t->e[i].spare);
		else if (i > t->live)
			promise(t->e[i - 1].spare_index < t->e[i].spare_index);
	}
}

static void check_table(void)
{
	u64 sector, start = below(SECTORS), end = start + 1 + below(SECTORS - start);

	check_order(&table);
	for (sector = start; sector < end;) {
		struct dmr_run run = dmr_table_run(&table, sector, end);
		u64 s;

		promise(run.end > sector && run.end <= end);
		for (s = sector; s < run.end; s++) {
			promise(run.kind == model[s].kind);
			if (run.kind == DMR_RUN_MAIN)
				continue;
			promise(run.spare_index == model[s].spare_index);
			promise(run.spare_sector + (s - sector) == model[s].spare);
		}
		sector = run.end;
	}
}

static void put_some(void)
{
	struct dmr_entry e[DMR_PUT_MAX];
	u32 n = 1 + below(3), i, before = table.count;
	u64 at = below(SECTORS - 3 * 8), sector = at, spare = below(SPACE), room = ROOM + below(2) * 60;
	static struct dmr_table was;

	for (i = 0; i < n; i++) {
		e[i] = (struct dmr_entry) {
			.main = sector, .spare = spare, .len = 1 + below(8),
			.spare_index = below(2), .reason = DMR_REASON_WRITE + below(2),
			.flags = below(2), .created_ns = 1 + below(100),
		};
		sector += e[i].len;
		/* Often adjoining on the spare too, so that entries merge. */
		spare = below(3) ? spare + e[i].len : below(SPACE);
	}
	was = table;
	if (!dmr_table_put(&table, room, e, n)) {
		refused++;
		promise(!memcmp(&was, &table, sizeof(was)));
		promise(before + n + 1 >= room || before + n + 2 > room);
		return;
	}
	put++;
	merged += table.count < before + n;
	for (i = 0; i < n; i++) {
		for (u64 s = e[i].main; s < e[i].main + e[i].len; s++) {
			model[s].kind = e[i].flags & DMR_ENTRY_LOST ? DMR_RUN_LOST : DMR_RUN_SPARE;
			model[s].spare_index = e[i].spare_index;
			model[s].spare = e[i].spare + (s - e[i].main);
		}
	}
}

static void retire_one(void)
{
	u32 before = table.count, live = table.live;
	u64 sector = 8 * below(SPACE / 8);
	u8 spare = below(3);

	if (!dmr_table_retire(&table, ROOM, spare, sector, 8, DMR_REASON_WRITE, 7)) {
		promise(before == ROOM || before > ROOM);
		return;
	}
	retirements++;
	promise(table.count - before <= 1 && table.live == live);
	joined += table.count == before;
	promise(dmr_table_uses(&table, spare, sector + 7, 1));
}

static void test_table(void)
{
	u32 i;

	memset(&table, 0, sizeof(table));
	memset(model, 0, sizeof(model));
	for (i = 0; i < 60; i++) {
		if (below(8))
			put_some();
		else
			retire_one();
		check_table();
	}
}

/* -- an unsound table ------------------------------------------------------------- */

/* The entries of an unsound generation, as they were. */
static struct dmr_table was;
static const struct dmr_range space[DMR_MAX_SPARES] = { { 16, 120 }, { 8, 200 }, { 0, 0 } };

static bool is_placed(const struct dmr_entry *e)
{
	return e->spare_index < 2 && e->spare >= space[e->spare_index].start &&
	       e->spare < space[e->spare_index].end &&
	       e->len <= space[e->spare_index].end - e->spare;
}

/* Does it claim anything of the block around sector @s of main? */
static bool claims_block(const struct dmr_entry *e, u64 s, u32 block)
{
	u64 first = s & ~(u64)(block - 1);

	if (e->main == DMR_RETIRED || !e->len || e->main >= first + block)
		return false;
	return e->main >= first || first - e->main < e->len;
}

static u64 spare_end(const struct dmr_entry *e)
{
	return e->len <= U64_MAX - e->spare ? e->spare + e->len : U64_MAX;
}

static bool share_spare(const struct dmr_entry *a, const struct dmr_entry *b)
{
	return a->len && b->len && a->spare_index == b->spare_index && a->spare < spare_end(b) &&
	       b->spare < spare_end(a);
}

/* Nothing speaks against it: what it says must be what is read. */
static bool is_right(u32 index, u32 count, u32 block)
{
	const struct dmr_entry *e = &was.e[index];
	u32 i;

	if ((e->flags & DMR_ENTRY_LOST) || !is_placed(e) || ((e->main | e->len | e->spare) & (block - 1)))
		return false;
	for (i = 0; i < count; i++) {
		if (i == index)
			continue;
		if (share_spare(e, &was.e[i]))
			return false;
		for (u64 s = e->main; s < e->main + e->len; s++)
			if (claims_block(&was.e[i], s, block))
				return false;
	}
	return true;
}

static void check_tamed(const struct dmr_table *t, u32 count, u64 s, u32 block)
{
	struct dmr_run run = dmr_table_run(t, s, s + 1);
	u32 claims = 0, near = 0, i;
	bool right = false;

	for (i = 0; i < count; i++) {
		const struct dmr_entry *e = &was.e[i];

		near += claims_block(e, s, block);
		/* Nor does anyone else name it, wherever else that one lies, retired ones too. */
		if (run.kind == DMR_RUN_SPARE && (e->main == DMR_RETIRED || s < e->main || s - e->main >= e->len))
			promise(!e->len || run.spare_index != e->spare_index || run.spare_sector < e->spare ||
				run.spare_sector >= spare_end(e));
		if (e->main == DMR_RETIRED || s < e->main || s - e->main >= e->len)
			continue;
		claims++;
		right |= is_right(i, count, block);
		/* What reads as live is what exactly one entry says. */
		if (run.kind == DMR_RUN_SPARE) {
			promise(!(e->flags & DMR_ENTRY_LOST) && is_placed(e));
			promise(run.spare_index == e->spare_index);
			promise(run.spare_sector == e->spare + (s - e->main));
		}
	}
	promise(near || run.kind == DMR_RUN_MAIN);
	promise(!claims || run.kind != DMR_RUN_MAIN);
	promise(claims < 2 || run.kind == DMR_RUN_LOST);
	promise(!right || run.kind == DMR_RUN_SPARE);
	kept += right;
}

static void test_tame(void)
{
	static struct dmr_table t;
	u32 block = below(2) ? 8 : 1, count = below(12), i;
	u64 start = below(10), end = start + 1 + below(80), s;

	memset(&t, 0, sizeof(t));
	for (i = 0; i < count; i++) {
		u64 step = block == 8 && below(8) ? 8 : 1;

		t.e[i].main = below(20) ? step * below(100 / step) :
			      below(2) ? DMR_RETIRED : U64_MAX - below(9);
		t.e[i].spare = below(20) ? step * below(160 / step) : U64_MAX - below(9);
		t.e[i].len = below(20) ? step * below(9) : U32_MAX - below(2);
		t.e[i].spare_index = below(10) ? below(2) : below(256);
		t.e[i].flags = !below(4);
	}
	was = t;
	dmr_table_tame(&t, count, start, end, space, block);
	tamed++;
	check_order(&t);
	for (s = start; s < end; s++) {
		check_tamed(&t, count, s, block);
		/* No request is cut within a block. */
		if ((s + 1) % block && s + 1 < end)
			promise(dmr_table_run(&t, s, s + 1).kind ==
				dmr_table_run(&t, s + 1, s + 2).kind);
	}
}

/* -- the allocator ---------------------------------------------------------------- */

static struct dmr_allocator allocator;

static void test_allocator(void)
{
	static struct dmr_table t;
	static bool taken[3][SPACE];
	u32 unit = below(2) ? 8 : 1, i, spare;
	u64 start = 8 * below(4), sectors = 8 * below(20);

	memset(&t, 0, sizeof(t));
	memset(taken, 0, sizeof(taken));
	for (i = 0; i < below(12); i++) {
		struct dmr_entry *e = &t.e[t.count++];

		*e = (struct dmr_entry) { .main = i * 20, .spare = below(SPACE - 8), .len = 1 + below(8),
					  .spare_index = below(3) };
		for (u32 s = 0; s < e->len; s++)
			taken[e->spare_index][e->spare + s] = true;
	}
	t.live = t.count;
	dmr_allocator_fill(&allocator, &t, unit);
	for (spare = 0; spare < 3; spare++) {
		u64 free = 0, got = 0, s;

		promise(dmr_allocate(&allocator, spare) == DMR_NO_SECTOR);
		dmr_allocator_open(&allocator, spare, start, sectors);
		for (s = start; s + unit <= start + sectors; s += unit) {
			bool any = false;

			for (i = 0; i < unit; i++)
				any |= taken[spare][s + i];
			free += !any;
		}
		while ((s = dmr_allocate(&allocator, spare)) != DMR_NO_SECTOR) {
			promise(s % unit == 0 && s >= start && s + unit <= start + sectors);
			for (i = 0; i < unit; i++) {
				promise(!taken[spare][s + i]);
				taken[spare][s + i] = true;
			}
			got++;
		}
		promise(got == free);
		allocated += got;
	}
}

int main(int argc, char **argv)
{
	u64 rounds;

	if (argc != 3)
		return 2;
	seed = strtoull(argv[1], NULL, 10);
	rounds = strtoull(argv[2], NULL, 10);
	for (round_number = 0; round_number < rounds; round_number++) {
		state = seed * 1000003 + round_number;
		test_table();
		test_tame();
		test_allocator();
	}
	printf("{\"puts\":%llu,\"refused\":%llu,\"merged\":%llu,\"retired\":%llu,\"joined\":%llu,\"tamed\":%llu,\"kept\":%llu,\"allocated\":%llu}\n",
	       (unsigned long long)put, (unsigned long long)refused, (unsigned long long)merged,
	       (unsigned long long)retirements, (unsigned long long)joined, (unsigned long long)tamed, (unsigned long long)kept, (unsigned long long)allocated);
	return 0;
}
