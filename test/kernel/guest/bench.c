// SPDX-License-Identifier: GPL-2.0-or-later
// Compares two devices: rounds of random 4 KiB reads in the order A B B A, so that a drift of the machine falls on both
// alike. Meant for a guest that counts instructions, where a nanosecond is one. What it means is for the host to say.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

#define BLOCK 4096
#define MAX_DEPTH 64

struct side {
	int fd;
	uint64_t blocks;
};

struct bench {
	struct side sides[2];
	unsigned int depth;
	uint64_t reads;
	aio_context_t context;
	unsigned char *buffer;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool read_batch(struct bench *bench, const struct side *side, uint64_t *state)
{
	struct iocb iocbs[MAX_DEPTH], *list[MAX_DEPTH];
	struct io_event events[MAX_DEPTH];
	unsigned int done = 0;

	memset(iocbs, 0, sizeof(iocbs[0]) * bench->depth);
	for (unsigned int i = 0; i < bench->depth; i++) {
		iocbs[i].aio_fildes = side->fd;
		iocbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
		iocbs[i].aio_buf = (uintptr_t)(bench->buffer + (size_t)i * BLOCK);
		iocbs[i].aio_nbytes = BLOCK;
		iocbs[i].aio_offset = next(state) % side->blocks * BLOCK;
		list[i] = &iocbs[i];
	}
	if (syscall(SYS_io_submit, bench->context, bench->depth, list) != bench->depth)
		return false;
	while (done < bench->depth) {
		long count = syscall(SYS_io_getevents, bench->context, 1, bench->depth - done, events, NULL);

		for (long i = 0; i < count; i++)
			if ((int64_t)events[i].res != BLOCK)
				return false;
		if (count <= 0)
			return false;
		done += count;
	}
	return true;
}

/* Nanoseconds for one side's reads, 0 if one failed. */
static uint64_t measure(struct bench *bench, const struct side *side, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15ull | 1, began = now_ns();

	if (bench->depth == 1) {
		for (uint64_t i = 0; i < bench->reads; i++)
			if (pread(side->fd, bench->buffer, BLOCK, next(&state) % side->blocks * BLOCK) != BLOCK)
				return 0;
	} else {
		for (uint64_t i = 0; i < bench->reads; i += bench->depth)
			if (!read_batch(bench, side, &state))
				return 0;
	}
	return now_ns() - began;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* bench A B depth= reads= rounds= first= count=: a reply of "a=NS b=NS ratio=R min=R max=R", per read and as medians. */
int command_bench(struct call *call)
{
	struct bench bench = { .depth = option_number(call, "depth", 1), .reads = option_number(call, "reads", 960) };
	uint64_t rounds = option_number(call, "rounds", 5), size;
	double *sides[2], *ratios;
	void *buffer = NULL;
	bool fine = call->argc >= 3 && bench.depth && bench.depth <= MAX_DEPTH && bench.reads && rounds;

	for (int i = 0; i < 2 && fine; i++) {
		bench.sides[i].fd = open(call->argv[1 + i], O_RDONLY | O_DIRECT | O_CLOEXEC);
		fine = bench.sides[i].fd >= 0 && !ioctl(bench.sides[i].fd, BLKGETSIZE64, &size) && size >= BLOCK;
		bench.sides[i].blocks = option_number(call, "count", size / SECTOR) * SECTOR / BLOCK;
	}
	if (!fine || posix_memalign(&buffer, BLOCK, (size_t)BLOCK * bench.depth) ||
	    syscall(SYS_io_setup, MAX_DEPTH, &bench.context)) {
		text_printf(&call->reply, "bench A B: %s", error_name(errno));
		return -1;
	}
	bench.buffer = buffer;
	sides[0] = calloc(rounds, sizeof(double));
	sides[1] = calloc(rounds, sizeof(double));
	ratios = calloc(rounds, sizeof(double));
	if (!sides[0] || !sides[1] || !ratios)
		abort();
	/* Once for nothing: caches of the translator and of the kernel fill up. */
	fine = measure(&bench, &bench.sides[0], 99) && measure(&bench, &bench.sides[1], 99);
	for (uint64_t i = 0; i < rounds && fine; i++) {
		uint64_t a1 = measure(&bench, &bench.sides[0], 1000 + i), b1 = measure(&bench, &bench.sides[1], 1000 + i);
		uint64_t b2 = measure(&bench, &bench.sides[1], 2000 + i), a2 = measure(&bench, &bench.sides[0], 2000 + i);

		fine = a1 && a2 && b1 && b2;
		sides[0][i] = (double)(a1 + a2) / 2 / bench.reads;
		sides[1][i] = (double)(b1 + b2) / 2 / bench.reads;
		ratios[i] = sides[1][i] / sides[0][i];
	}
	qsort(sides[0], rounds, sizeof(double), by_size);
	qsort(sides[1], rounds, sizeof(double), by_size);
	qsort(ratios, rounds, sizeof(double), by_size);
	if (fine)
		text_printf(&call->reply, "a=%.1f b=%.1f ratio=%.5f min=%.5f max=%.5f", sides[0][rounds / 2],
			    sides[1][rounds / 2], ratios[rounds / 2], ratios[0], ratios[rounds - 1]);
	else
		text_printf(&call->reply, "a read failed");
	free(sides[0]);
	free(sides[1]);
	free(ratios);
	syscall(SYS_io_destroy, bench.context);
	free(buffer);
	close(bench.sides[0].fd);
	close(bench.sides[1].fd);
	return fine ? 0 : -1;
}
