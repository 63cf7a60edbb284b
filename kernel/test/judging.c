// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spares in memory, judged and decided about with the module's own code, in the
 * order in which the module does it. What is asked of the result is in judge.c
 * and fuzz-format.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "judging.h"

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void *allocate(size_t bytes)
{
	/* An address that must not be read is wanted for nothing, too. */
	void *p = malloc(bytes ? bytes : 1);

	if (!p)
		die("out of memory");
	return p;
}

void slot_set(struct slot *slot, const void *bytes, u32 length)
{
	slot_free(slot);
	slot->bytes = allocate(length);
	slot->length = length;
	if (bytes)
		memcpy(slot->bytes, bytes, length);
}

void slot_free(struct slot *slot)
{
	free(slot->bytes);
	slot->bytes = NULL;
	slot->length = 0;
}

/* How many of the bytes wanted could be read. */
static u32 read_at(int fd, u64 offset, u8 *to, u32 bytes)
{
	u32 done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, to + done, bytes - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

void spare_read(const char *path, struct slot slots[DMR_COPIES])
{
	static u8 image[DMR_SLOT_BYTES];
	static struct dmr_judgement j;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	for (u32 copy = 0; copy < DMR_COPIES; copy++) {
		u64 offset = (u64)dmr_slot_sector[copy] * DMR_SECTOR;
		u32 bytes = read_at(fd, offset, image, DMR_BLOCK);

		dmr_judge_header(image, bytes, &j);
		if (j.state == DMR_HEADER_GOOD)
			bytes = read_at(fd, offset, image, j.h.slot_bytes);
		slot_set(&slots[copy], image, bytes);
	}
	close(fd);
}

void setup_clear(struct setup *s)
{
	for (u32 i = 0; i < DMR_MAX_SPARES; i++)
		for (u32 k = 0; k < DMR_COPIES; k++)
			slot_free(&s->slot[i][k]);
	setup_forget(s);
}

void setup_forget(struct setup *s)
{
	memset(&s->places, 0, sizeof(s->places));
	memset(&s->choice, 0, sizeof(s->choice));
	memset(&s->winner, 0, sizeof(s->winner));
	memset(&s->generation, 0, sizeof(s->generation));
}

void setup_decide(struct setup *s)
{
	struct dmr_places *p = &s->places;
	struct dmr_choice *c = &s->choice;

	for (u32 i = 0; i < p->spares; i++)
		for (u32 k = 0; p->present[i] && k < DMR_COPIES; k++)
			dmr_judge(s->slot[i][k].bytes, s->slot[i][k].length, &p->j[i][k]);
	memset(&s->winner, 0, sizeof(s->winner));
	dmr_choose_winner(p, c);
	if (c->spare < 0)
		return;
	s->winner = p->j[c->spare][c->copy];
	s->generation.entries = s->entries;
	dmr_decode(s->slot[c->spare][c->copy].bytes, &s->generation);
	dmr_judge_rules(s->slot[c->spare][c->copy].bytes, &s->scratch, &s->winner);
	dmr_choose_finish(p, s->generation.devices, c);
}
