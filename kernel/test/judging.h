/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user-space tests of the format have in common: spares in memory,
 * judged and decided about with the module's own code. Each slot lies in an
 * allocation of exactly its length, so that the address sanitizer sees every
 * byte that is looked at beyond it.
 */
#ifndef JUDGING_H
#define JUDGING_H

#include "../dmr-format.h"

/* A slot as far as it could be read; bytes NULL: not at all. */
struct slot {
	u8 *bytes;
	u32 length;
};

struct setup {
	struct dmr_places places;
	struct slot slot[DMR_MAX_SPARES][DMR_COPIES];
	struct dmr_choice choice;
	/* The winner: its own judgement with soundness looked at, and its contents. */
	struct dmr_judgement winner;
	struct dmr_generation generation;
	struct dmr_entry entries[DMR_MAX_ENTRIES];
	struct dmr_scratch scratch;
};

dmr_attribute(noreturn) dmr_attribute(format(printf, 1, 2)) void die(const char *format, ...);
void *allocate(size_t bytes);

/*
 * Gives a slot an allocation of exactly `length` bytes, and copies them where
 * `bytes` is not NULL.
 */
void slot_set(struct slot *slot, const void *bytes, u32 length);
void slot_free(struct slot *slot);

/*
 * Reads the slots of a spare's image as a loading target does: the header
 * block, then what it vouches for.
 */
void spare_read(const char *path, struct slot slots[DMR_COPIES]);

/* Frees the slots and forgets all. */
void setup_clear(struct setup *s);

/* Forgets all but the slots. */
void setup_forget(struct setup *s);

/* Judges all slots, chooses, decodes the winner and finishes. */
void setup_decide(struct setup *s);

#endif /* JUDGING_H */
