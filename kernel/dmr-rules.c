// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a valid generation must not say: the rules of FORMAT.md sections 3 and
 * 7, in the order and under the names in which dmremap-fsck tells of them. The
 * first broken rule ends the search: one is enough to refuse to write.
 *
 * All functions take a valid image (dmr_judge()): sections lie inside it and
 * have their right lengths. The numbers in them can still be anything.
 */
#include "dmr-format.h"

struct image {
	const u8 *bytes;
	struct dmr_judgement *j;
	const struct dmr_disk_device *devices;
	u32 device_count;
	const struct dmr_disk_config *config;
	const struct dmr_disk_health *health;
	const struct dmr_disk_event *events;
	u32 events_counted;
	const struct dmr_disk_block *blocks;
	u32 block_count;
	u32 entries_counted;
	/* B of FORMAT.md section 7, in sectors: 1 or 8. */
	u32 unit;
};

static bool broken(const struct image *g, const char *rule, u32 where, const char *why)
{
	g->j->unsound = true;
	g->j->rule = rule;
	g->j->where = where;
	g->j->why = why;
	return true;
}

static bool is_zero(const u8 *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/*
 * [start, start + length) is inside [from, from + room), without an overflow
 * anywhere.
 */
static bool inside(u64 start, u64 length, u64 from, u64 room)
{
	return start >= from && start - from <= room && length <= room - (start - from);
}

/* -- DEVICES ---------------------------------------------------------------------- */

static bool spare_rules(const struct image *g, u32 record)
{
	const struct dmr_disk_device *d = &g->devices[record];
	const struct dmr_header *h = &g->j->h;
	u64 last = le64_to_cpu(d->last_sequence);
	u32 i;

	if (le64_to_cpu(d->data_start) < DMR_METADATA_END)
		return broken(g, "rule-collision", record,
			      "a spare's data begins in the metadata");
	if (le64_to_cpu(d->data_start) % 8 || le64_to_cpu(d->data_sectors) % 8)
		return broken(g, "rule-device-area", record,
			      "a spare's data area is not in multiples of 8 sectors");
	if (le64_to_cpu(d->size_sectors) < DMR_MIN_SPARE_SECTORS)
		return broken(g, "rule-device-area", record, "a spare is below the least size");
	if (is_zero(d->device_uuid, sizeof(d->device_uuid)))
		return broken(g, "rule-device-uuid", record, "a spare's uuid is zero");
	for (i = 1; i < record; i++)
		if (!memcmp(g->devices[i].device_uuid, d->device_uuid, sizeof(d->device_uuid)))
			return broken(g, "rule-device-uuid", record,
				      "two spares have the same uuid");
	if (last > h->sequence)
		return broken(g, "rule-device-sequence", record,
			      "a spare's last_sequence is above the generation's own");
	if (le64_to_cpu(d->base_sequence) > last)
		return broken(g, "rule-device-sequence", record,
			      "a spare's base_sequence is above its last_sequence");
	/* A spare that this generation was put on has it as its last. */
	if (last == h->sequence && le64_to_cpu(d->last_run) != h->run_id)
		return broken(g, "rule-device-sequence", record,
			      "a spare's last_run is not the run of its last_sequence");
	return false;
}

static bool device_rules(struct image *g)
{
	u32 i;

	g->unit = 1;
	for (i = 0; i < g->device_count; i++) {
		const struct dmr_disk_device *d = &g->devices[i];
		u32 block = le32_to_cpu(d->logical_block_size);

		if (d->role != (i ? 1 : 0) || d->index != (i ? i - 1 : 0))
			return broken(g, "rule-device-role", i,
				      "a device record is not the one that belongs here");
		if (block != 512 && block != 4096)
			return broken(g, "rule-device-block-size", i,
				      "a logical block size is neither 512 nor 4096");
		if (block == 4096)
			g->unit = 8;
		if (!inside(le64_to_cpu(d->data_start), le64_to_cpu(d->data_sectors), 0,
			    le64_to_cpu(d->size_sectors)))
			return broken(g, "rule-device-area", i,
				      "a device's data area reaches behind its end");
		if (le32_to_cpu(d->health_score) > 100)
			return broken(g, "rule-health", i, "a device's health score is above 100");
		if (i && spare_rules(g, i))
			return true;
	}
	return false;
}

/* -- CONFIG, HEALTH, EVENTS ------------------------------------------------------- */

/*
 * The code point at p of n > 0 bytes of UTF-8, and in *used its bytes; *used =
 * 0 where it is malformed (overlong forms and surrogates included).
 */
static u32 utf8_at(const u8 *p, u32 n, u32 *used)
{
	u32 code, more, least, i;

	*used = 1;
	if (p[0] < 0x80)
		return p[0];
	*used = 0;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
	least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
	if (1 + more > n)
		return 0;
	code = p[0] & (0x3f >> more);
	for (i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*used = 1 + more;
	return code;
}

/* Why CONFIG's name can't be the name of a mapped device, or NULL. */
static const char *name_defect(const u8 *name, u32 size)
{
	u32 length, at, used;

	for (length = 0; length < size && name[length]; length++)
		;
	if (length == size)
		return "the name has no NUL at the end";
	if (!is_zero(name + length, size - length))
		return "the name has bytes after the NUL";
	if (!length || length > DMR_MAX_NAME)
		return "the name has not 1 to 89 bytes";
	for (at = 0; at < length; at += used) {
		u32 code = utf8_at(name + at, length - at, &used);

		if (!used)
			return "the name is not UTF-8";
		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == '/')
			return "the name has a slash or a control character";
	}
	return NULL;
}

static bool config_rules(const struct image *g)
{
	const struct dmr_disk_config *c = g->config;
	u32 unit = le32_to_cpu(c->remap_unit);
	const char *why = name_defect(c->name, sizeof(c->name));

	if (why)
		return broken(g, "rule-config-name", 0, why);
	if (c->spare_policy >= DMR_POLICIES)
		return broken(g, "rule-config-value", 0, "spare_policy is unknown");
	if (!c->min_copies || c->min_copies > DMR_COPIES)
		return broken(g, "rule-config-value", 0, "min_copies is not in 1 to 5");
	if (c->reassembly_version != 1)
		return broken(g, "rule-config-value", 0, "the reassembly version is not 1");
	if (le32_to_cpu(c->tunable_count) > DMR_MAX_TUNABLES)
		return broken(g, "rule-config-value", 0, "tunable_count is above 32");
	if (g->devices[0].data_sectors != c->target_sectors)
		return broken(g, "rule-config-target", 0,
			      "target_sectors is not main's data_sectors");
	if (unit != 8 && !(unit == 1 && g->unit == 1))
		return broken(g, "rule-remap-unit", 0, "remap_unit does not suit the block sizes");
	if (le32_to_cpu(g->health->score) > 100)
		return broken(g, "rule-health", 0, "HEALTH's score is above 100");
	return false;
}

static bool event_rules(const struct image *g)
{
	u32 used = 0;
	u32 i;

	for (i = 0; i < DMR_EVENT_RING; i++) {
		u32 serial = le32_to_cpu(g->events[i].serial);

		if (!serial)
			continue;
		used++;
		if ((serial - 1) % DMR_EVENT_RING != i)
			return broken(g, "rule-event-place", i, "an event lies at a wrong place");
	}
	if (used != g->events_counted)
		return broken(g, "rule-event-count", 0, "the events are not so many as counted");
	return false;
}

/* -- REMAPS ----------------------------------------------------------------------- */

static bool block_rules(const struct image *g)
{
	u32 held = 0;
	u32 i;

	for (i = 0; i < g->block_count; i++) {
		const struct dmr_disk_trailer *t = &g->blocks[i].trailer;
		u32 count = le32_to_cpu(t->entry_count);

		if (le32_to_cpu(t->magic) != DMR_BLOCK_MAGIC)
			return broken(g, "rule-block", i, "a block's magic is wrong");
		if (le32_to_cpu(t->block_index) != i)
			return broken(g, "rule-block", i, "a block's index is wrong");
		if (!count || count > DMR_ENTRIES_PER_BLOCK)
			return broken(g, "rule-block", i, "a block has not 1 to 127 entries");
		if (i + 1 < g->block_count && count != DMR_ENTRIES_PER_BLOCK)
			return broken(g, "rule-block", i, "a block is not full and not the last");
		if (le64_to_cpu(t->sequence) > g->j->h.sequence)
			return broken(g, "rule-block", i,
				      "a block was changed after the generation itself");
		held += count;
	}
	if (held != g->entries_counted)
		return broken(g, "rule-entry-count", 0, "the entries are not so many as counted");
	return false;
}

/* Entry i of full blocks: block_rules() comes first. */
static const struct dmr_disk_entry *entry_at(const struct image *g, u32 i)
{
	return &g->blocks[i / DMR_ENTRIES_PER_BLOCK].entries[i % DMR_ENTRIES_PER_BLOCK];
}

static bool order_rules(const struct image *g, u32 i)
{
	const struct dmr_disk_entry *e = entry_at(g, i);
	const struct dmr_disk_entry *before = entry_at(g, i - 1);
	u64 main = le64_to_cpu(e->main_sector);
	u64 main_before = le64_to_cpu(before->main_sector);
	bool sorted;

	if (main == DMR_RETIRED)
		sorted = main_before != DMR_RETIRED || before->spare_index < e->spare_index ||
			 (before->spare_index == e->spare_index &&
			  le64_to_cpu(before->spare_sector) < le64_to_cpu(e->spare_sector));
	else
		sorted = main_before < main;
	if (!sorted)
		return broken(g, "rule-entry-order", i, "the entries are not sorted");
	if (main != DMR_RETIRED && main - main_before < le32_to_cpu(before->length))
		return broken(g, "rule-entry-overlap", i, "an entry overlaps the one before it");
	return false;
}

static bool entry_rules(const struct image *g, u32 i)
{
	const struct dmr_disk_entry *e = entry_at(g, i);
	const struct dmr_disk_device *d = &g->devices[0];
	u64 main = le64_to_cpu(e->main_sector);
	u64 spare = le64_to_cpu(e->spare_sector);
	u32 length = le32_to_cpu(e->length);

	if (!length)
		return broken(g, "rule-entry-length", i, "an entry's length is 0");
	if (e->reason < DMR_REASON_WRITE || e->reason > DMR_REASON_PREDICTIVE)
		return broken(g, "rule-entry-reason", i, "an entry's reason is unknown");
	if (i && order_rules(g, i))
		return true;
	if (main != DMR_RETIRED) {
		if (!inside(main, length, le64_to_cpu(d->data_start),
			    le64_to_cpu(d->data_sectors)))
			return broken(g, "rule-entry-main", i,
				      "an entry is outside the mapped area");
		if (main % g->unit)
			return broken(g, "rule-entry-multiple", i,
				      "an entry is not in multiples of the block size");
	}
	if (spare % g->unit || length % g->unit)
		return broken(g, "rule-entry-multiple", i,
			      "an entry is not in multiples of the block size");
	if (1u + e->spare_index >= g->device_count)
		return broken(g, "rule-entry-spare", i, "an entry's spare does not exist");
	d = &g->devices[1 + e->spare_index];
	if (!inside(spare, length, le64_to_cpu(d->data_start), le64_to_cpu(d->data_sectors)))
		return broken(g, "rule-entry-spare", i,
			      "an entry is outside the data area of its spare");
	return false;
}

static bool comes_after(const struct image *g, u32 a, u32 b)
{
	const struct dmr_disk_entry *x = entry_at(g, a);
	const struct dmr_disk_entry *y = entry_at(g, b);

	if (x->spare_index != y->spare_index)
		return x->spare_index > y->spare_index;
	return le64_to_cpu(x->spare_sector) > le64_to_cpu(y->spare_sector);
}

/*
 * Sorts the entries' numbers by where they lie on the spares, by merging;
 * returns the array that holds them.
 */
static const u16 *sort_by_spare(const struct image *g, u32 count, struct dmr_scratch *scratch)
{
	u16 *from = scratch->order[0];
	u16 *to = scratch->order[1];
	u32 width, i;

	for (i = 0; i < count; i++)
		from[i] = i;
	for (width = 1; width < count; width *= 2) {
		u16 *swap;

		for (i = 0; i < count; i += 2 * width) {
			u32 middle = i + width < count ? i + width : count;
			u32 end = middle + width < count ? middle + width : count;
			u32 a = i, b = middle, at;

			for (at = i; at < end; at++) {
				if (b == end || (a < middle && !comes_after(g, from[a], from[b])))
					to[at] = from[a++];
				else
					to[at] = from[b++];
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	return from;
}

/*
 * No two entries share a spare sector. All of them lie inside their spares'
 * data areas: sums don't overflow.
 */
static bool share_rules(const struct image *g, u32 count, struct dmr_scratch *scratch)
{
	const u16 *order = sort_by_spare(g, count, scratch);
	u32 i;

	for (i = 1; i < count; i++) {
		const struct dmr_disk_entry *before = entry_at(g, order[i - 1]);
		const struct dmr_disk_entry *e = entry_at(g, order[i]);

		/*
		 * Up to here none overlaps: the one before is the one that
		 * reaches furthest.
		 */
		if (before->spare_index == e->spare_index &&
		    le64_to_cpu(e->spare_sector) <
		    le64_to_cpu(before->spare_sector) + le32_to_cpu(before->length))
			return broken(g, "rule-entry-share", order[i],
				      "two entries share spare sectors");
	}
	return false;
}

static void find_sections(struct image *g)
{
	const struct dmr_header *h = &g->j->h;
	u32 i;

	for (i = 0; i < h->sections; i++) {
		const struct dmr_section *s = &h->section[i];
		const void *at = g->bytes + s->offset;

		switch (s->type) {
		case DMR_DEVICES:
			g->devices = at;
			g->device_count = s->record_count;
			break;
		case DMR_CONFIG:
			g->config = at;
			break;
		case DMR_HEALTH:
			g->health = at;
			break;
		case DMR_EVENTS:
			g->events = at;
			g->events_counted = s->record_count;
			break;
		case DMR_REMAPS:
			g->blocks = at;
			g->block_count = s->length / DMR_BLOCK;
			g->entries_counted = s->record_count;
			break;
		}
	}
}

void dmr_judge_rules(const void *image, struct dmr_scratch *scratch, struct dmr_judgement *j)
{
	struct image g = { .bytes = image, .j = j };
	u32 i;

	j->unsound = false;
	j->rule = NULL;
	if (!j->valid)
		return;
	j->why = NULL;
	j->where = 0;
	find_sections(&g);
	if (device_rules(&g) || config_rules(&g) || event_rules(&g) || block_rules(&g))
		return;
	for (i = 0; i < g.entries_counted; i++)
		if (entry_rules(&g, i))
			return;
	share_rules(&g, g.entries_counted, scratch);
}
