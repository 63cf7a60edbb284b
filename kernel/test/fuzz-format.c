// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the format code: mutated spares with mended checksums, judged, decided
 * about, decoded and encoded again. The sanitizers watch every access; the
 * checks here hold the answers to what was promised.
 *
 *	fuzz-format <seed> <iterations, seconds as 60s, or one iteration as @17> <setup>...
 *
 * A setup is the images of its spares, in order, with commas between. Prints a
 * line of JSON about what was reached. Whatever breaks a promise ends it with
 * the seed and the iteration that did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mutate.h"

#define MOST_SETUPS 16

/* What mutation starts from. */
struct seedling {
	u32 spares;
	struct slot slot[DMR_MAX_SPARES][DMR_COPIES];
};

static struct seedling seedlings[MOST_SETUPS];
static u32 seedling_count;
static struct setup setup;
static u64 seed, iteration;

/* What was reached. */
static u64 refusals[DMR_SPLIT + 1], states[DMR_COPY_UNKNOWN + 1], standings[DMR_SPARE_RETIRED + 1];
static u64 headers[DMR_HEADER_GOOD + 1];
static u64 valid_copies, sound_winners, unsound_winners, encoded, refits, lacking_room;

static const char *const rule_names[] = {
	"rule-collision",
	"rule-device-area",
	"rule-device-uuid",
	"rule-device-sequence",
	"rule-device-role",
	"rule-device-block-size",
	"rule-health",
	"rule-config-name",
	"rule-config-value",
	"rule-config-target",
	"rule-remap-unit",
	"rule-event-place",
	"rule-event-count",
	"rule-block",
	"rule-entry-count",
	"rule-entry-order",
	"rule-entry-overlap",
	"rule-entry-length",
	"rule-entry-reason",
	"rule-entry-main",
	"rule-entry-multiple",
	"rule-entry-spare",
	"rule-entry-share",
};

static u64 rules[ARRAY_SIZE(rule_names)];

#define promise(condition)                                                                     \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fprintf(stderr, "%s:%d: seed %llu iteration %llu: broken: %s\n",       \
				__FILE__, __LINE__, seed, iteration, #condition);              \
			abort();                                                               \
		}                                                                              \
	} while (0)

/* -- arranging -------------------------------------------------------------------- */

static const struct slot *any_slot(void)
{
	const struct seedling *from = &seedlings[below(seedling_count)];

	return &from->slot[below(from->spares)][below(DMR_COPIES)];
}

static void plant(const struct seedling *from)
{
	setup_clear(&setup);
	setup.places.spares = from->spares;
	for (u32 i = 0; i < from->spares; i++) {
		setup.places.present[i] = true;
		for (u32 k = 0; k < DMR_COPIES; k++)
			slot_set(&setup.slot[i][k], from->slot[i][k].bytes,
				 from->slot[i][k].length);
	}
}

static void mutate_copy(struct slot *slot)
{
	for (u32 times = 1 + below(chance(70) ? 2 : 6); times; times--)
		mutate(slot, any_slot());
	if (chance(85))
		mend(slot->bytes, slot->length);
	else if (chance(50))
		mend_header(slot->bytes, slot->length);
}

/*
 * One mutated generation in all places: what a defective writer, or a careful
 * forger, would have left.
 */
static void mutate_everywhere(const struct seedling *from)
{
	struct slot own = { 0 };

	slot_set(&own, from->slot[0][0].bytes, from->slot[0][0].length);
	mutate_copy(&own);
	for (u32 i = 0; i < from->spares; i++) {
		for (u32 k = 0; k < DMR_COPIES; k++) {
			struct slot *slot = &setup.slot[i][k];

			slot_set(slot, own.bytes, own.length);
			if (slot->length < DMR_HEADER_BYTES)
				continue;
			memcpy(slot->bytes + 0x60, from->slot[i][k].bytes + 0x60, 17);
			slot->bytes[0x72] = from->slot[i][k].bytes[0x72];
			mend_header(slot->bytes, slot->length);
		}
	}
	slot_free(&own);
}

/*
 * Another sequence or run, with everything else as it was: an older, a newer or
 * a rival generation.
 */
static void restamp(struct slot *slot, u64 by, bool other_run)
{
	__le64 word;

	if (slot->length < DMR_HEADER_BYTES)
		return;
	memcpy(&word, slot->bytes + 0x30, sizeof(word));
	word = cpu_to_le64(le64_to_cpu(word) + by);
	memcpy(slot->bytes + 0x30, &word, sizeof(word));
	if (other_run)
		slot->bytes[0x78] ^= 0x55;
	mend_header(slot->bytes, slot->length);
}

static void rearrange(void)
{
	u32 spares = setup.places.spares;
	u32 spare = below(spares);
	struct slot *slots = setup.slot[spare];
	struct slot kept[DMR_COPIES];
	u32 other;

	switch (below(12)) {
	case 0:
		for (u32 k = 0; k < DMR_COPIES; k++)
			if (chance(50))
				restamp(&slots[k], (u64)below(5) - 3, chance(20));
		break;
	case 1:
		for (u32 k = 0; k < DMR_COPIES; k++)
			restamp(&slots[k], (u64)below(3) - 1, chance(50));
		break;
	case 2:
		other = below(spares);
		memcpy(kept, slots, sizeof(kept));
		memcpy(slots, setup.slot[other], sizeof(kept));
		memcpy(setup.slot[other], kept, sizeof(kept));
		break;
	case 3:
		setup.places.present[spare] = false;
		break;
	case 4:
		slot_free(&slots[below(DMR_COPIES)]);
		break;
	case 5:
		for (u32 k = 0; k < DMR_COPIES; k++)
			if (chance(70))
				slot_set(&slots[k], any_slot()->bytes, DMR_HEADER_BYTES);
		break;
	case 6:
		setup.places.has_setup = true;
		memcpy(setup.places.setup_uuid, any_slot()->bytes + 0x50, 16);
		break;
	case 7:
		setup.places.spares = 1 + below(DMR_MAX_SPARES);
		break;
	case 8:
		for (u32 k = 0; k < DMR_COPIES; k++) {
			const struct slot *one = any_slot();

			if (chance(50))
				slot_set(&slots[k], one->bytes, one->length);
		}
		break;
	case 9:
		for (u32 k = 0; k < DMR_COPIES; k++)
			if (slots[k].length >= DMR_HEADER_BYTES)
				slots[k].bytes[0x150] ^= 1;
		break;
	case 10:
		for (u32 k = 0; k < DMR_COPIES; k++)
			if (slots[k].length)
				memset(slots[k].bytes, 0, slots[k].length);
		break;
	default:
		/* The same sequence with something else in it. */
		if (slots[0].length > 20480 + 64) {
			slots[0].bytes[20480 + below(64)] ^= 1;
			mend(slots[0].bytes, slots[0].length);
		}
	}
}

static void arrange(void)
{
	const struct seedling *from = &seedlings[below(seedling_count)];

	plant(from);
	if (chance(45))
		mutate_everywhere(from);
	else
		for (u32 copies = below(4); copies; copies--)
			mutate_copy(&setup.slot[below(from->spares)][below(DMR_COPIES)]);
	while (chance(35))
		rearrange();
}

/* -- promises: one slot ----------------------------------------------------------- */

/* The levels once more, each with a pass of its own and nothing joined. */
static bool is_whole(const struct slot *slot, const struct dmr_header *h)
{
	u32 overall = ~0u;

	for (u32 i = 0; i < h->sections; i++) {
		const struct dmr_section *s = &h->section[i];
		u32 size = s->type == DMR_DEVICES || s->type == DMR_HEALTH ? 512 :
			   s->type == DMR_CONFIG || s->type == DMR_REMAPS  ? 4096 : 0;
		u8 record[4096];

		if (!s->length) {
			if (s->crc)
				return false;
			continue;
		}
		if (s->offset + s->length > slot->length ||
		    dmr_crc32(slot->bytes + s->offset, s->length) != s->crc)
			return false;
		for (u32 at = 0; size && at < s->length; at += size) {
			__le32 stored;

			memcpy(record, slot->bytes + s->offset + at, size);
			memcpy(&stored, record + size - 4, sizeof(stored));
			memset(record + size - 4, 0, 4);
			if (dmr_crc32(record, size) != le32_to_cpu(stored))
				return false;
		}
		overall = dmr_crc32_le(overall, slot->bytes + s->offset, s->length);
	}
	return ~overall == h->overall_crc;
}

static void hold_judgements(void)
{
	for (u32 i = 0; i < setup.places.spares; i++) {
		for (u32 k = 0; setup.places.present[i] && k < DMR_COPIES; k++) {
			const struct dmr_judgement *j = &setup.places.j[i][k];
			const struct slot *slot = &setup.slot[i][k];

			headers[j->state]++;
			valid_copies += j->valid;
			promise(!j->valid || j->state == DMR_HEADER_GOOD);
			promise(!j->valid || dmr_is_evidence(j));
			promise(j->valid == !j->why);
			if (j->state == DMR_HEADER_GOOD)
				promise(j->valid == is_whole(slot, &j->h));
		}
	}
}

/* -- promises: the choice --------------------------------------------------------- */

static bool same_sections(const struct slot *a, const struct slot *b, const struct dmr_header *h)
{
	for (u32 i = 0; i < h->sections; i++) {
		const struct dmr_section *s = &h->section[i];

		if (s->length && memcmp(a->bytes + s->offset, b->bytes + s->offset, s->length))
			return false;
	}
	return true;
}

static bool of_setup(const struct dmr_judgement *j)
{
	return dmr_is_evidence(j) && !memcmp(j->h.setup_uuid, setup.choice.setup_uuid, 16);
}

static void hold_winner(const struct dmr_judgement *w, const struct dmr_choice *c)
{
	promise(w->valid && of_setup(w));
	promise(w->h.copy_index == c->copy);
	promise(w->h.spare_index == c->identity[c->spare].index);
	promise(w->h.sequence == c->sequence && c->sequence <= c->highest);
}

static void hold_spare(u32 i, const struct dmr_judgement *w, const struct dmr_choice *c)
{
	const struct dmr_disk_device *d = &setup.generation.devices[1 + i];

	promise(!memcmp(c->identity[i].uuid, d->device_uuid, 16) && c->identity[i].index == i);
	for (u32 k = 0; k < DMR_COPIES; k++) {
		const struct dmr_judgement *j = &setup.places.j[i][k];
		enum dmr_copy_state state = c->copy_state[i][k];

		states[state]++;
		promise(state != DMR_COPY_NONE && state != DMR_COPY_RIVAL);
		promise((state == DMR_COPY_WHOLE || state == DMR_COPY_STALE) ==
			(j->valid && of_setup(j) && j->h.copy_index == k && j->h.spare_index == i &&
			 !memcmp(j->h.spare_uuid, d->device_uuid, 16)));
		if (state == DMR_COPY_WHOLE) {
			promise(dmr_same_header(&j->h, &w->h));
			promise(same_sections(&setup.slot[i][k], &setup.slot[c->spare][c->copy],
					      &w->h));
		}
		if (of_setup(j)) {
			promise(j->h.sequence <= c->sequence);
			promise(j->state != DMR_HEADER_UNKNOWN || j->h.sequence < c->sequence);
			promise(j->h.sequence <= le64_to_cpu(d->base_sequence) ||
				(j->h.run_id == le64_to_cpu(d->last_run) &&
				 j->h.sequence <= le64_to_cpu(d->last_sequence)));
		}
	}
}

static void hold_choice(void)
{
	const struct dmr_choice *c = &setup.choice;
	u64 next = dmr_next_sequence(c);

	refusals[c->refusal]++;
	promise(c->refusal == DMR_OK || c->why);
	promise(!next || (next > c->highest && next < DMR_SEQUENCE_LIMIT));
	promise(c->spare >= 0 || c->refusal != DMR_OK);
	if (c->spare < 0)
		return;
	promise(c->spare < (int)setup.places.spares && setup.places.present[c->spare]);
	hold_winner(&setup.places.j[c->spare][c->copy], c);
	if (c->refusal != DMR_OK)
		return;
	promise(c->highest == c->sequence);
	promise(setup.places.spares == setup.generation.h.spare_count);
	for (u32 i = 0; i < setup.places.spares; i++) {
		standings[c->standing[i]]++;
		promise(c->standing[i] != DMR_SPARE_DIVERGED);
		if (setup.places.present[i])
			hold_spare(i, &setup.places.j[c->spare][c->copy], c);
		else
			promise(c->standing[i] == DMR_SPARE_ABSENT ||
				c->standing[i] == DMR_SPARE_RETIRED);
	}
}

/* -- promises: what a sound generation says --------------------------------------- */

static bool overlap(u64 a, u64 a_length, u64 b, u64 b_length)
{
	return a < b + b_length && b < a + a_length;
}

/* Pair by pair, and so not of all of a large table. */
static void hold_entries(const struct dmr_generation *g)
{
	u32 first = g->entry_count > 100 ? below(g->entry_count - 100) : 0;
	u32 count = g->entry_count - first < 100 ? g->entry_count - first : 100;

	for (u32 i = first; i < first + count; i++) {
		const struct dmr_entry *a = &g->entries[i];

		promise(a->len && a->spare_index < g->h.spare_count);
		promise(a->spare >= DMR_METADATA_END);
		for (u32 k = first; k < i; k++) {
			const struct dmr_entry *b = &g->entries[k];

			promise(a->spare_index != b->spare_index ||
				!overlap(a->spare, a->len, b->spare, b->len));
			if (a->main == DMR_RETIRED || b->main == DMR_RETIRED)
				continue;
			promise(!overlap(a->main, a->len, b->main, b->len));
		}
	}
}

/* -- promises: decoding and encoding ---------------------------------------------- */

static u8 image[DMR_SLOT_BYTES], again[DMR_SLOT_BYTES], block[DMR_BLOCK];
static struct dmr_generation second;
static struct dmr_entry second_entries[DMR_MAX_ENTRIES];
static struct dmr_judgement judged;

static void hold_same_contents(const struct dmr_generation *a, const struct dmr_generation *b)
{
	promise(a->entry_count == b->entry_count);
	promise(!memcmp(a->entries, b->entries, a->entry_count * sizeof(*a->entries)));
	promise(!memcmp(a->devices, b->devices, sizeof(a->devices)));
	promise(!memcmp(&a->config, &b->config, sizeof(a->config)));
	promise(!memcmp(&a->health, &b->health, sizeof(a->health)));
	promise(!memcmp(a->events, b->events, sizeof(a->events)));
	promise(a->event_count == b->event_count);
}

static bool is_known(u32 type)
{
	return type >= DMR_DEVICES && type <= DMR_REMAPS;
}

/* Sections of unknown type: all there, in their order, to the byte. */
static void hold_unknown(const struct slot *old, const struct dmr_header *before,
			 const struct dmr_header *after)
{
	for (u32 i = 0; i < before->sections; i++) {
		const struct dmr_section *s = &before->section[i];
		bool found = false;

		for (u32 k = 0; !is_known(s->type) && k < after->sections; k++) {
			const struct dmr_section *t = &after->section[k];

			found |= t->type == s->type && t->length == s->length &&
				 t->record_count == s->record_count && t->reserved == s->reserved &&
				 !memcmp(image + t->offset, old->bytes + s->offset * !!s->length,
					 s->length);
		}
		promise(found || is_known(s->type));
	}
}

static u32 unknown_blocks(const struct dmr_header *h)
{
	u32 blocks = 0;

	for (u32 i = 0; i < h->sections; i++)
		if (!is_known(h->section[i].type))
			blocks += (h->section[i].length + DMR_BLOCK - 1) / DMR_BLOCK;
	return blocks;
}

static void hold_encoding(void)
{
	const struct dmr_choice *c = &setup.choice;
	const struct slot *old = &setup.slot[c->spare][c->copy];
	struct dmr_generation *g = &setup.generation;
	u32 room = dmr_entry_room(old->bytes);
	u32 bytes = dmr_encode(g, old->bytes, image);
	u32 blocks = (g->entry_count + DMR_ENTRIES_PER_BLOCK - 1) / DMR_ENTRIES_PER_BLOCK;

	promise(room <= DMR_MAX_ENTRIES);
	promise(!bytes == (blocks + unknown_blocks(&g->h) > DMR_MAX_REMAP_BLOCKS));
	if (!bytes) {
		lacking_room++;
		return;
	}
	encoded++;
	dmr_judge(image, bytes, &judged);
	promise(judged.valid && judged.h.slot_bytes == bytes);
	promise(judged.h.sequence == g->h.sequence && judged.h.run_id == g->h.run_id);
	dmr_judge_rules(image, &setup.scratch, &judged);
	promise(setup.winner.unsound || !judged.unsound);
	second.entries = second_entries;
	dmr_decode(image, &second);
	hold_same_contents(g, &second);
	hold_unknown(old, &g->h, &second.h);
	promise(dmr_encode(&second, image, again) == bytes && !memcmp(image, again, bytes));

	/*
	 * A header for the place that won: as it was, if the layout was that of
	 * a v4.0 writer.
	 */
	dmr_seal_header(image, c->copy, g->h.spare_index, g->h.spare_uuid, block);
	memcpy(again, block, DMR_BLOCK);
	dmr_judge(again, bytes, &judged);
	promise(judged.valid && judged.h.copy_index == c->copy);
	promise(!memcmp(judged.h.spare_uuid, g->h.spare_uuid, 16));
}

/* Another table of entries, and an event: what a commit does. */
static void hold_commit(void)
{
	const struct dmr_choice *c = &setup.choice;
	const struct slot *old = &setup.slot[c->spare][c->copy];
	struct dmr_generation *g = &setup.generation;
	u32 room = dmr_entry_room(old->bytes);
	u32 keep, bytes;

	if (setup.winner.unsound || g->h.sequence + 1 >= DMR_SEQUENCE_LIMIT)
		return;
	/* Some entries of the middle go, so that the blocks behind them change. */
	keep = g->entry_count ? below(g->entry_count) : 0;
	if (g->entry_count) {
		memmove(&g->entries[keep], &g->entries[keep + 1],
			(g->entry_count - keep - 1) * sizeof(*g->entries));
		g->entry_count--;
	}
	g->h.sequence++;
	dmr_add_event(g, random64(), 1 + below(15), below(9), random64(), below(100), below(100));
	bytes = dmr_encode(g, old->bytes, image);
	promise(!bytes == (g->entry_count > room || unknown_blocks(&g->h) > DMR_MAX_REMAP_BLOCKS));
	if (!bytes)
		return;
	refits++;
	dmr_judge(image, bytes, &judged);
	promise(judged.valid);
	dmr_judge_rules(image, &setup.scratch, &judged);
	promise(!judged.unsound);
	dmr_decode(image, &second);
	promise(second.entry_count == g->entry_count && second.event_count == g->event_count);
	promise(!memcmp(second.entries, g->entries, g->entry_count * sizeof(*g->entries)));
	/* Blocks before the first change are as they were. */
	keep = keep / DMR_ENTRIES_PER_BLOCK * DMR_BLOCK;
	promise(!memcmp(image + DMR_REMAPS_AT, old->bytes + DMR_REMAPS_AT, keep));
}

/* -- running ---------------------------------------------------------------------- */

static void count_rule(const char *rule)
{
	for (u32 i = 0; i < ARRAY_SIZE(rule_names); i++) {
		if (!strcmp(rule_names[i], rule)) {
			rules[i]++;
			return;
		}
	}
	promise(!"a rule without a name");
}

static void run_one(void)
{
	seed_random(seed * 1000003 + iteration);
	arrange();
	setup_decide(&setup);
	hold_judgements();
	hold_choice();
	if (setup.choice.spare < 0)
		return;
	promise(setup.winner.unsound == !!setup.winner.rule);
	if (setup.winner.unsound) {
		unsound_winners++;
		count_rule(setup.winner.rule);
	} else {
		sound_winners++;
		hold_entries(&setup.generation);
	}
	hold_encoding();
	hold_commit();
}

static void print_count(const char *name, u64 count)
{
	printf(",\"%s\":%llu", name, count);
}

static void print_counts(const char *name, const u64 *counts, u32 n)
{
	printf(",\"%s\":[", name);
	for (u32 i = 0; i < n; i++)
		printf("%s%llu", i ? "," : "", counts[i]);
	putchar(']');
}

static void load(char *images)
{
	struct seedling *to = &seedlings[seedling_count++];
	char *rest = images;
	char *path;

	if (seedling_count > MOST_SETUPS)
		die("more than %d setups", MOST_SETUPS);
	while ((path = strtok_r(NULL, ",", &rest))) {
		if (to->spares == DMR_MAX_SPARES)
			die("%s: more than 8 spares", images);
		spare_read(path, to->slot[to->spares++]);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double start = now(), seconds = 0;
	u64 first = 0, last = U64_MAX;
	char *end;

	if (argc < 4)
		die("fuzz-format <seed> <iterations, seconds as 60s, or one as @17> <setup>...");
	seed = strtoull(argv[1], NULL, 10);
	if (argv[2][0] == '@') {
		first = strtoull(argv[2] + 1, NULL, 10);
		last = first + 1;
	} else {
		last = strtoull(argv[2], &end, 10);
		if (*end == 's') {
			seconds = last;
			last = U64_MAX;
		}
	}
	for (int i = 3; i < argc; i++)
		load(argv[i]);
	for (iteration = first; iteration < last; iteration++) {
		if (seconds && iteration % 8 == 0 && now() - start >= seconds)
			break;
		run_one();
	}
	printf("{\"iterations\":%llu,\"seconds\":%.1f", iteration - first, now() - start);
	print_count("validCopies", valid_copies);
	print_count("sound", sound_winners);
	print_count("unsound", unsound_winners);
	print_count("encoded", encoded);
	print_count("committed", refits);
	print_count("withoutRoom", lacking_room);
	print_counts("headers", headers, ARRAY_SIZE(headers));
	print_counts("refusals", refusals, ARRAY_SIZE(refusals));
	print_counts("states", states, ARRAY_SIZE(states));
	print_counts("standings", standings, ARRAY_SIZE(standings));
	printf(",\"rules\":{");
	for (u32 i = 0; i < ARRAY_SIZE(rule_names); i++)
		printf("%s\"%s\":%llu", i ? "," : "", rule_names[i], rules[i]);
	printf("}}\n");
	setup_clear(&setup);
	for (u32 i = 0; i < seedling_count; i++)
		for (u32 k = 0; k < DMR_MAX_SPARES * DMR_COPIES; k++)
			slot_free(&seedlings[i].slot[k / DMR_COPIES][k % DMR_COPIES]);
	return 0;
}
