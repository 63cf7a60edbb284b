// SPDX-License-Identifier: GPL-2.0-or-later
// Reads and writes of single ranges, for scenarios that go step by step. Each request is one system call on O_DIRECT,
// and what became of each is reported as "SECTOR+COUNT:RESULT". Many requests at once are in hammer.c.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"
#include "pattern.h"

/* The largest request, if nothing else is asked for: 1 MiB. */
#define CHUNK 2048
#define PAGE 4096

/* Device and range of a call, "COMMAND DEVICE FIRST COUNT". */
struct range {
	int fd;
	uint64_t first, count, chunk;
	void *memory;
	unsigned char *buffer;
	int flags;
};

/* Results of neighbours are put together as long as they are the same. */
struct runs {
	struct text *to;
	uint64_t first, count;
	char state[64];
};

static void runs_end(struct runs *runs)
{
	if (runs->count)
		text_printf(runs->to, "%s%llu+%llu:%s", runs->to->length ? " " : "", (unsigned long long)runs->first,
			    (unsigned long long)runs->count, runs->state);
	runs->count = 0;
}

static void runs_add(struct runs *runs, uint64_t first, uint64_t count, const char *state)
{
	if (runs->count && runs->first + runs->count == first && !strcmp(runs->state, state)) {
		runs->count += count;
		return;
	}
	runs_end(runs);
	runs->first = first;
	runs->count = count;
	strncpy(runs->state, state, sizeof(runs->state) - 1);
}

static void range_close(struct range *range)
{
	free(range->memory);
	if (range->fd >= 0)
		close(range->fd);
}

static bool range_open(struct call *call, struct range *range, int mode)
{
	uint64_t shift = option_number(call, "shift", 0);

	memset(range, 0, sizeof(*range));
	range->fd = -1;
	if (call->argc < 4 || !number(call, call->argv[2], &range->first) ||
	    !number(call, call->argv[3], &range->count) || !range->count) {
		text_printf(&call->reply, "; wanted: DEVICE FIRST COUNT");
		return false;
	}
	range->chunk = option_number(call, "chunk", range->count < CHUNK ? range->count : CHUNK);
	if (!option_has(call, "flags", "buffered"))
		mode |= O_DIRECT;
	if (option_has(call, "flags", "nowait"))
		range->flags |= RWF_NOWAIT;
	if (option_has(call, "flags", "fua"))
		range->flags |= RWF_DSYNC;
	range->fd = open(call->argv[1], mode | O_CLOEXEC);
	if (range->fd < 0) {
		text_printf(&call->reply, "%s: %s", call->argv[1], error_name(errno));
		return false;
	}
	/* With `shift` the memory does not begin where a page does. */
	if (posix_memalign(&range->memory, PAGE, range->chunk * SECTOR + PAGE))
		abort();
	range->buffer = (unsigned char *)range->memory + shift;
	return true;
}

static const char *result_name(ssize_t result, size_t wanted)
{
	if (result < 0)
		return error_name(errno);
	return (size_t)result == wanted ? "ok" : "short";
}

int command_write(struct call *call)
{
	uint64_t version = 0;
	struct range range;
	struct runs runs = { .to = &call->reply };
	bool zeros = option_has(call, "fill", "zero");

	if (!range_open(call, &range, O_RDWR))
		return -1;
	if (!zeros && (call->argc < 5 || !number(call, call->argv[4], &version))) {
		range_close(&range);
		return -1;
	}
	for (uint64_t done = 0; done < range.count;) {
		uint64_t at = range.first + done;
		uint64_t count = range.count - done < range.chunk ? range.count - done : range.chunk;
		struct iovec piece = { range.buffer, count * SECTOR };

		memset(range.buffer, 0, piece.iov_len);
		for (uint64_t i = 0; i < count && !zeros; i++)
			pattern_make(at + i, version, range.buffer + i * SECTOR);
		runs_add(&runs, at, count,
			 result_name(pwritev2(range.fd, &piece, 1, at * SECTOR, range.flags), piece.iov_len));
		done += count;
	}
	runs_end(&runs);
	range_close(&range);
	return 0;
}

static void name_content(char *state, size_t room, uint64_t sector, const void *bytes)
{
	struct pattern found = pattern_of(bytes);

	if (found.kind == PATTERN_ZERO)
		snprintf(state, room, "zero");
	else if (found.kind == PATTERN_OTHER)
		snprintf(state, room, "other");
	else if (found.sector == sector)
		snprintf(state, room, "v%u", found.version);
	else
		snprintf(state, room, "s%lluv%u", (unsigned long long)found.sector, found.version);
}

/* One request. What failed is read again in requests of `piece` sectors, if it was longer than that. */
static void read_range(struct range *range, struct runs *runs, uint64_t at, uint64_t count, uint64_t piece)
{
	struct iovec part = { range->buffer, count * SECTOR };
	const char *result;

	/* So that a read which fills nothing is not taken for what the last one brought. */
	memset(range->buffer, 0xee, part.iov_len);
	result = result_name(preadv2(range->fd, &part, 1, at * SECTOR, range->flags), part.iov_len);
	if (!strcmp(result, "ok")) {
		for (uint64_t i = 0; i < count; i++) {
			char state[64];

			name_content(state, sizeof(state), at + i, range->buffer + i * SECTOR);
			/* A run of misplaced sectors has a name per sector, and no more is needed. */
			runs_add(runs, at + i, 1, state);
		}
		return;
	}
	if (count <= piece) {
		runs_add(runs, at, count, result);
		return;
	}
	for (uint64_t done = 0; done < count; done += piece)
		read_range(range, runs, at + done, count - done < piece ? count - done : piece, piece);
}

int command_read(struct call *call)
{
	struct range range;
	struct runs runs = { .to = &call->reply };
	uint64_t piece;

	if (!range_open(call, &range, O_RDONLY))
		return -1;
	piece = option_number(call, "piece", range.chunk);
	for (uint64_t done = 0; done < range.count && piece; done += range.chunk)
		read_range(&range, &runs, range.first + done,
			   range.count - done < range.chunk ? range.count - done : range.chunk, piece);
	runs_end(&runs);
	range_close(&range);
	return piece ? 0 : -1;
}

int command_peek(struct call *call)
{
	struct range range;
	ssize_t count;

	if (!range_open(call, &range, O_RDONLY))
		return -1;
	count = pread(range.fd, range.buffer, range.chunk * SECTOR, range.first * SECTOR);
	if (count < 0)
		text_printf(&call->reply, "%s", error_name(errno));
	for (ssize_t i = 0; i < count; i++)
		text_printf(&call->reply, "%02x", range.buffer[i]);
	range_close(&range);
	return 0;
}

int command_flush(struct call *call)
{
	int fd = call->argc == 2 ? open(call->argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0) {
		text_printf(&call->reply, "flush DEVICE: %s", error_name(errno));
		return -1;
	}
	text_printf(&call->reply, "%s", fsync(fd) ? error_name(errno) : "ok");
	close(fd);
	return 0;
}

/* Any ioctl by its number, with enough zeroed memory for what it may want. */
int command_ioctl(struct call *call)
{
	static char memory[4096];
	int fd = call->argc == 3 ? open(call->argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0) {
		text_printf(&call->reply, "ioctl DEVICE NUMBER: %s", error_name(errno));
		return -1;
	}
	text_printf(&call->reply, "%s",
		    ioctl(fd, strtoul(call->argv[2], NULL, 0), memory) ? error_name(errno) : "ok");
	close(fd);
	return 0;
}

static int range_ioctl(struct call *call, unsigned long request)
{
	struct range range;
	uint64_t bytes[2];

	if (!range_open(call, &range, O_RDWR))
		return -1;
	bytes[0] = range.first * SECTOR;
	bytes[1] = range.count * SECTOR;
	text_printf(&call->reply, "%s", ioctl(range.fd, request, bytes) ? error_name(errno) : "ok");
	range_close(&range);
	return 0;
}

int command_discard(struct call *call)
{
	return range_ioctl(call, option_has(call, "flags", "secure") ? BLKSECDISCARD : BLKDISCARD);
}

int command_zeroout(struct call *call)
{
	return range_ioctl(call, BLKZEROOUT);
}
