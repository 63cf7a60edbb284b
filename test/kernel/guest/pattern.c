// SPDX-License-Identifier: GPL-2.0-or-later
// Makes and recognises the sectors of pattern.h.
#include <string.h>

#include "pattern.h"

#define MAGIC 0x54524d44u	/* "DMRT" */
#define WORDS 128
#define HEAD 4

static uint32_t seed_of(uint64_t sector, uint32_t version)
{
	uint32_t mixed = (uint32_t)sector * 0x9e3779b1u ^ (uint32_t)(sector >> 32) * 0x85ebca6bu;

	mixed = (mixed ^ version) * 0xc2b2ae35u;
	mixed ^= mixed >> 15;
	return mixed ? mixed : 1;	/* xorshift never leaves 0 */
}

void pattern_make(uint64_t sector, uint32_t version, void *bytes512)
{
	uint32_t words[WORDS], state = seed_of(sector, version);

	words[0] = MAGIC;
	words[1] = version;
	words[2] = (uint32_t)sector;
	words[3] = (uint32_t)(sector >> 32);
	for (int i = HEAD; i < WORDS; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		words[i] = state;
	}
	memcpy(bytes512, words, sizeof(words));
}

struct pattern pattern_of(const void *bytes512)
{
	uint32_t words[WORDS], again[WORDS];
	struct pattern found = { .kind = PATTERN_OTHER };

	memcpy(words, bytes512, sizeof(words));
	if (words[0] == 0) {
		for (int i = 1; i < WORDS; i++)
			if (words[i])
				return found;
		found.kind = PATTERN_ZERO;
		return found;
	}
	if (words[0] != MAGIC)
		return found;
	found.version = words[1];
	found.sector = words[2] | (uint64_t)words[3] << 32;
	pattern_make(found.sector, found.version, again);
	if (!memcmp(words, again, sizeof(words)))
		found.kind = PATTERN_OURS;
	return found;
}
