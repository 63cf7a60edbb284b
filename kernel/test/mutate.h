/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutations of metadata for fuzzing: the same seed makes the same ones
 * everywhere. What has to hold afterwards is in fuzz-format.c.
 */
#ifndef MUTATE_H
#define MUTATE_H

#include "judging.h"

/* A number from [0, limit); limit > 0. */
u32 below(u32 limit);
bool chance(u32 percent);
u64 random64(void);
void seed_random(u64 seed);

/*
 * Makes every checksum of a copy right that has a place: records, sections,
 * overall, header.
 */
void mend(u8 *bytes, u32 length);
void mend_header(u8 *bytes, u32 length);

/* Changes one thing in a copy. `other`: any copy, to take pieces from. */
void mutate(struct slot *slot, const struct slot *other);

#endif /* MUTATE_H */
