/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sectors that say what they are: each holds its own number and a version, and 488 bytes that follow from both. So a
 * sector that is old, misplaced or torn is told apart from a right one. The same as test/support/kernel/pattern.ts.
 */
#ifndef DMREMAP_GUEST_PATTERN_H
#define DMREMAP_GUEST_PATTERN_H

#include <stdint.h>

enum pattern_kind {
	PATTERN_ZERO,	/* all bytes are zero */
	PATTERN_OURS,	/* `sector` and `version` say which */
	PATTERN_OTHER,	/* anything else, torn sectors too */
};

struct pattern {
	enum pattern_kind kind;
	uint64_t sector;
	uint32_t version;
};

void pattern_make(uint64_t sector, uint32_t version, void *bytes512);
struct pattern pattern_of(const void *bytes512);

#endif
