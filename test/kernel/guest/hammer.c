// SPDX-License-Identifier: GPL-2.0-or-later
// Many random reads, writes and flushes at once on one device, with a memory of what each sector may hold. A read that
// brings anything else is a violation. Requests under way never overlap, so that the memory, in ledger.c, is exact.
// Discards and write-zeroes come in between, one at a time.
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
#include "ledger.h"
#include "pattern.h"

#define MAX_DEPTH 128

struct slot {
	struct iocb iocb;
	uint64_t first, count;
	uint32_t version;
	bool busy;
	unsigned char *buffer;
};

struct hammer {
	struct call *call;
	int fd;
	aio_context_t context;
	uint64_t unit, largest, deadline, ops, limit;
	uint64_t random;
	/* One request in `flushes`; the others in per cent, the last three of the writes. */
	unsigned int depth, flushes, reads, fua, zeroes, discards;
	bool report;
	uint32_t version;
	struct ledger ledger;
	struct slot slots[MAX_DEPTH];
	unsigned int under_way;
	uint64_t read_errors, write_errors, flush_errors, reads_done, writes_done, flushes_done;
	uint64_t fua_done, zeroes_done, discards_done;
	/* What failed, but for flushes: " failed=FIRST+COUNT:read-EIO". */
	struct text failures;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static uint64_t random_below(struct hammer *hammer, uint64_t limit)
{
	hammer->random ^= hammer->random << 13;
	hammer->random ^= hammer->random >> 7;
	hammer->random ^= hammer->random << 17;
	return hammer->random % limit;
}

static void tell_failure(struct hammer *hammer, const struct slot *slot, const char *what, int error)
{
	text_printf(&hammer->failures, " failed=%llu+%llu:%s-%s", (unsigned long long)slot->first,
		    (unsigned long long)slot->count, what, error ? error_name(error) : "short");
}

static void complete(struct hammer *hammer, struct slot *slot, int64_t result)
{
	int op = slot->iocb.aio_lio_opcode;
	bool failed = op == IOCB_CMD_FSYNC ? result != 0 : result != (int64_t)(slot->count * SECTOR);
	bool fua = slot->iocb.aio_rw_flags & RWF_DSYNC;

	slot->busy = false;
	hammer->under_way--;
	if (op == IOCB_CMD_FSYNC) {
		hammer->flushes_done++;
		hammer->flush_errors += failed;
		if (hammer->report)
			tell("hammer flushed %u %s", slot->version, failed ? "failed" : "ok");
		return;
	}
	ledger_mark(&hammer->ledger, slot->first, slot->count, false);
	for (uint64_t i = 0; i < slot->count; i++) {
		if (op == IOCB_CMD_PWRITE)
			ledger_written(&hammer->ledger, slot->first + i, slot->version, failed);
		else if (!failed)
			ledger_read(&hammer->ledger, slot->first + i, slot->buffer + i * SECTOR);
	}
	if (failed)
		tell_failure(hammer, slot, op == IOCB_CMD_PREAD ? "read" : fua ? "fua" : "write",
			     result < 0 ? -result : 0);
	if (op == IOCB_CMD_PREAD) {
		hammer->reads_done++;
		hammer->read_errors += failed;
	} else {
		hammer->writes_done++;
		hammer->fua_done += !failed && fua;
		hammer->write_errors += failed;
		if (hammer->report)
			tell("hammer wrote %llu %llu %u %s", (unsigned long long)slot->first,
			     (unsigned long long)slot->count, slot->version, failed ? "failed" : "ok");
	}
}

/* Waits for one request at least; false where the kernel gives none back. */
static bool reap(struct hammer *hammer)
{
	struct io_event events[MAX_DEPTH];
	long count;

	do {
		count = syscall(SYS_io_getevents, hammer->context, 1, MAX_DEPTH, events, NULL);
	} while (count < 0 && errno == EINTR);
	for (long i = 0; i < count; i++)
		complete(hammer, (struct slot *)(uintptr_t)events[i].data, events[i].res);
	return count > 0;
}

/* A range where nothing is under way; false if there was none in a few tries. */
static bool choose(struct hammer *hammer, struct slot *slot)
{
	uint64_t units = hammer->ledger.count / hammer->unit;

	for (int tries = 0; tries < 8; tries++) {
		uint64_t length = 1 + random_below(hammer, hammer->largest / hammer->unit);
		uint64_t start = random_below(hammer, units);

		if (start + length > units)
			length = units - start;
		slot->first = hammer->ledger.first + start * hammer->unit;
		slot->count = length * hammer->unit;
		if (!ledger_busy(&hammer->ledger, slot->first, slot->count))
			return true;
	}
	return false;
}

/* A discard or zeroes for a range where nothing is under way. It is over when this returns. */
static void clear_range(struct hammer *hammer, const struct slot *slot, bool discard)
{
	uint64_t bytes[2] = { slot->first * SECTOR, slot->count * SECTOR };
	bool failed = ioctl(hammer->fd, discard ? BLKDISCARD : BLKZEROOUT, bytes) != 0;

	if (failed)
		tell_failure(hammer, slot, discard ? "discard" : "zeroes", errno);
	/* What is discarded may stay as it was. */
	for (uint64_t i = 0; i < slot->count; i++)
		ledger_written(&hammer->ledger, slot->first + i, LEDGER_ZEROS, failed || discard);
	hammer->write_errors += failed;
	hammer->discards_done += !failed && discard;
	hammer->zeroes_done += !failed && !discard;
	hammer->ops++;
}

static bool submit(struct hammer *hammer, struct slot *slot)
{
	struct iocb *iocb = &slot->iocb;
	bool flush = hammer->flushes && random_below(hammer, hammer->flushes) == 0;

	if (!flush && !choose(hammer, slot))
		return false;
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_data = (uintptr_t)slot;
	iocb->aio_fildes = hammer->fd;
	slot->version = ++hammer->version;
	if (flush) {
		iocb->aio_lio_opcode = IOCB_CMD_FSYNC;
		if (hammer->report)
			tell("hammer flushing %u", slot->version);
	} else {
		bool write = random_below(hammer, 100) >= hammer->reads;
		unsigned int kind = random_below(hammer, 100);

		if (write && kind < hammer->discards + hammer->zeroes) {
			clear_range(hammer, slot, kind < hammer->discards);
			return true;
		}
		if (write && random_below(hammer, 100) < hammer->fua)
			iocb->aio_rw_flags = RWF_DSYNC;
		iocb->aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		iocb->aio_buf = (uintptr_t)slot->buffer;
		iocb->aio_nbytes = slot->count * SECTOR;
		iocb->aio_offset = slot->first * SECTOR;
		ledger_mark(&hammer->ledger, slot->first, slot->count, true);
		for (uint64_t i = 0; i < slot->count && write; i++)
			pattern_make(slot->first + i, slot->version, slot->buffer + i * SECTOR);
	}
	slot->busy = true;
	hammer->under_way++;
	hammer->ops++;
	while (syscall(SYS_io_submit, hammer->context, 1, &iocb) != 1) {
		if (errno == EINTR)
			continue;
		complete(hammer, slot, -errno);
		break;
	}
	return true;
}

static void run(struct hammer *hammer)
{
	while ((!hammer->limit || hammer->ops < hammer->limit) && now_ms() < hammer->deadline) {
		bool submitted = false;

		for (unsigned int i = 0; i < hammer->depth; i++)
			if (!hammer->slots[i].busy)
				submitted |= submit(hammer, &hammer->slots[i]);
		if (hammer->under_way ? !reap(hammer) : !submitted)
			break;
	}
	while (hammer->under_way && reap(hammer))
		;
}

/* Reads all of it once more, unit by unit, so that each error stands for its unit alone. */
static void check_all(struct hammer *hammer, uint64_t *unreadable)
{
	unsigned char *buffer = hammer->slots[0].buffer;
	const struct ledger *ledger = &hammer->ledger;

	for (uint64_t at = ledger->first; at < ledger->first + ledger->count; at += hammer->unit) {
		size_t bytes = hammer->unit * SECTOR;

		if (pread(hammer->fd, buffer, bytes, at * SECTOR) != (ssize_t)bytes) {
			*unreadable += hammer->unit;
			continue;
		}
		for (uint64_t i = 0; i < hammer->unit; i++)
			ledger_read(&hammer->ledger, at + i, buffer + i * SECTOR);
	}
}

static bool prepare(struct hammer *hammer)
{
	struct call *call = hammer->call;
	uint64_t seconds = option_number(call, "seconds", 0), first, count;
	uint64_t holds = option_number(call, "holds", UINT64_MAX);

	if (call->argc < 4 || !number(call, call->argv[2], &first) || !number(call, call->argv[3], &count)) {
		text_printf(&call->reply, "; wanted: DEVICE FIRST COUNT");
		return false;
	}
	hammer->unit = option_number(call, "unit", 1);
	hammer->largest = option_number(call, "largest", 16);
	hammer->depth = option_number(call, "depth", 32);
	hammer->reads = option_number(call, "reads", 50);
	hammer->flushes = option_number(call, "flushes", 0);
	hammer->fua = option_number(call, "fua", 0);
	hammer->zeroes = option_number(call, "zeroes", 0);
	hammer->discards = option_number(call, "discards", 0);
	hammer->limit = option_number(call, "ops", 0);
	hammer->random = option_number(call, "seed", 1) * 0x9e3779b97f4a7c15ull | 1;
	hammer->version = option_number(call, "version", 1);
	hammer->report = option_has(call, "flags", "report");
	hammer->deadline = seconds ? now_ms() + seconds * 1000 : UINT64_MAX;
	if (!hammer->unit || !count || count % hammer->unit || hammer->largest < hammer->unit ||
	    !hammer->depth || hammer->depth > MAX_DEPTH || !(seconds || hammer->limit)) {
		text_printf(&call->reply, "unit, largest, depth, seconds and ops make no sense together");
		return false;
	}
	hammer->fd = open(call->argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (hammer->fd < 0 || syscall(SYS_io_setup, MAX_DEPTH, &hammer->context)) {
		text_printf(&call->reply, "%s: %s", call->argv[1], error_name(errno));
		return false;
	}
	ledger_open(&hammer->ledger, first, count);
	for (uint64_t i = 0; i < count && holds <= UINT32_MAX; i++)
		ledger_written(&hammer->ledger, first + i, holds, false);
	for (unsigned int i = 0; i < hammer->depth; i++) {
		void *buffer;

		if (posix_memalign(&buffer, 4096, hammer->largest * SECTOR))
			abort();
		hammer->slots[i].buffer = buffer;
	}
	return true;
}

int command_hammer(struct call *call)
{
	struct hammer *hammer = calloc(1, sizeof(*hammer));
	uint64_t unreadable = 0, began = now_ms();
	bool ready;

	if (!hammer)
		abort();
	hammer->call = call;
	hammer->fd = -1;
	ready = prepare(hammer);
	if (ready) {
		run(hammer);
		if (!option_has(call, "flags", "unchecked"))
			check_all(hammer, &unreadable);
		text_printf(&call->reply, "ms=%llu reads=%llu writes=%llu flushes=%llu", (unsigned long long)(now_ms() - began),
			    (unsigned long long)hammer->reads_done, (unsigned long long)hammer->writes_done,
			    (unsigned long long)hammer->flushes_done);
		text_printf(&call->reply, " read_errors=%llu write_errors=%llu flush_errors=%llu unreadable=%llu violations=%u",
			    (unsigned long long)hammer->read_errors, (unsigned long long)hammer->write_errors,
			    (unsigned long long)hammer->flush_errors, (unsigned long long)unreadable, hammer->ledger.violations);
		text_printf(&call->reply, " fua=%llu zeroes=%llu discards=%llu", (unsigned long long)hammer->fua_done,
			    (unsigned long long)hammer->zeroes_done, (unsigned long long)hammer->discards_done);
		text_add(&call->reply, hammer->failures.bytes, hammer->failures.length);
		ledger_report(&hammer->ledger, &call->reply);
		text_add(&call->reply, hammer->ledger.found.bytes, hammer->ledger.found.length);
	}
	if (hammer->context)
		syscall(SYS_io_destroy, hammer->context);
	for (unsigned int i = 0; i < MAX_DEPTH; i++)
		free(hammer->slots[i].buffer);
	if (hammer->fd >= 0)
		close(hammer->fd);
	ledger_close(&hammer->ledger);
	text_free(&hammer->failures);
	free(hammer);
	return ready ? 0 : -1;
}
