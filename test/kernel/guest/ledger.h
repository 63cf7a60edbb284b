/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each sector of a region may hold, from what was written to it and how that ended, and whether what is read is any
 * of it. After a failed write a sector holds the old or the new contents; the next read that succeeds settles which.
 */
#ifndef DMREMAP_GUEST_LEDGER_H
#define DMREMAP_GUEST_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent.h"

#define LEDGER_CANDIDATES 6
/* The version of a sector of zeros. */
#define LEDGER_ZEROS 0

/* No candidates: anything, until it is read or written. */
struct ledger_sector {
	uint32_t version[LEDGER_CANDIDATES];
	uint8_t count;
	bool busy, overflow;
};

struct ledger {
	uint64_t first, count;
	struct ledger_sector *sectors;
	unsigned int violations;
	/* The first violations in words. */
	struct text found;
};

void ledger_open(struct ledger *ledger, uint64_t first, uint64_t count);
void ledger_close(struct ledger *ledger);
void ledger_read(struct ledger *ledger, uint64_t sector, const void *bytes512);
void ledger_written(struct ledger *ledger, uint64_t sector, uint32_t version, bool failed);
/* Marks requests under way; true where one was already. */
bool ledger_busy(const struct ledger *ledger, uint64_t first, uint64_t count);
void ledger_mark(struct ledger *ledger, uint64_t first, uint64_t count, bool busy);
/* Runs of sectors that may hold the same: " FIRST+COUNT:v1|v2", "?" if nothing is known. */
void ledger_report(const struct ledger *ledger, struct text *to);

#endif
