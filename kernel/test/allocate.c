// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the allocator (dmr-map.c) takes on a spare that is nearly full: the
 * most extents that a setup can have, all in its way. That it hands out the
 * right ones is for map.c to say.
 *
 *	allocate
 *
 * Prints a line of JSON; nanoseconds of the processor, so that a busy machine
 * does not count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../dmr-map.h"

#define UNIT 8u
#define START 10240u
#define UNITS 1000000u

static struct dmr_table table;
static struct dmr_allocator allocator;

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Extents in groups of @group, and a free unit behind each. */
static void fill(u32 group)
{
	u32 i;

	for (i = 0; i < DMR_MAX_ENTRIES; i++) {
		table.e[i].main = 16ull * i;
		table.e[i].len = UNIT;
		table.e[i].spare = START + (u64)UNIT * (i + i / group);
	}
	table.count = DMR_MAX_ENTRIES;
	table.live = DMR_MAX_ENTRIES;
	dmr_allocator_fill(&allocator, &table, UNIT);
	dmr_allocator_open(&allocator, 0, START, (u64)UNIT * UNITS);
}

static void expect(u64 found, u64 wanted)
{
	if (found == wanted)
		return;
	fprintf(stderr, "%llu, and not %llu\n", (unsigned long long)found,
		(unsigned long long)wanted);
	exit(1);
}

int main(void)
{
	u64 began, filled, all, first = UINT64_MAX;
	u32 i, n = 0;

	/* Pairs: most to pass, and never all at once. */
	began = now();
	fill(2);
	filled = now() - began;
	began = now();
	while (dmr_allocate(&allocator, 0) != DMR_NO_SECTOR)
		n++;
	all = now() - began;
	expect(n, UNITS - DMR_MAX_ENTRIES);

	/* All in one piece: one allocation passes the lot. The shortest of some, for it is short. */
	for (i = 0; i < 9; i++) {
		u64 sector, took;

		fill(DMR_MAX_ENTRIES);
		began = now();
		sector = dmr_allocate(&allocator, 0);
		took = now() - began;
		expect(sector, START + (u64)UNIT * DMR_MAX_ENTRIES);
		if (took < first)
			first = took;
	}
	printf("{\"units\":%u,\"mean\":%.1f,\"worst\":%llu,\"fill\":%llu}\n", n, (double)all / n,
	       (unsigned long long)first, (unsigned long long)filled);
	return 0;
}
