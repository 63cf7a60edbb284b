/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the guest agent share: calls, replies, and the commands that each part offers. What a sector of
 * test data looks like is in pattern.h. The other end of the line is test/support/kernel/guest.ts.
 */
#ifndef DMREMAP_GUEST_AGENT_H
#define DMREMAP_GUEST_AGENT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR 512
#define MAX_ARGS 64

/* Text that grows. */
struct text {
	char *bytes;
	size_t length, room;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

/* One command on its way: its words without the number, and what it answers. */
struct call {
	char *line;
	const char *id;
	int argc;
	char *argv[MAX_ARGS];
	struct text reply;
};

/* The value of the argument "name=value", or null. */
const char *option(const struct call *call, const char *name);
uint64_t option_number(const struct call *call, const char *name, uint64_t otherwise);
/* Whether the comma-separated list in the argument "name=a,b" has this word. */
bool option_has(const struct call *call, const char *name, const char *word);
/* A whole decimal number; complains in the reply and returns false if it is none. */
bool number(struct call *call, const char *word, uint64_t *value);

/* A line that answers no call. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Commands return 0 when they did what was asked, whatever the device said of it: errors of devices are part of the
 * reply. Anything else means that the call made no sense.
 */
typedef int (*command)(struct call *call);
int command_sh(struct call *call);
int command_write(struct call *call);
int command_read(struct call *call);
int command_peek(struct call *call);
int command_flush(struct call *call);
int command_ioctl(struct call *call);
int command_discard(struct call *call);
int command_zeroout(struct call *call);
int command_hammer(struct call *call);
int command_bench(struct call *call);
int command_dm(struct call *call);

/* A number of errno's as its name, "ok" for 0. */
const char *error_name(int error);

#endif
