// SPDX-License-Identifier: GPL-2.0-only
/*
 * A generation from the bytes of a copy to what the target works with, and
 * back; the header of a single place; the ring of events. Which sequence a
 * generation gets and where it is written is decided elsewhere.
 */
#include "dmr-format.h"

static const u8 zeros[4];

/* -- decoding --------------------------------------------------------------------- */

/* The used directory entry of a known section; a valid image has all five. */
static const struct dmr_disk_section *find_section(const void *image, u32 type)
{
	const struct dmr_disk_header *h = image;
	u32 i;

	for (i = 0; i < DMR_DIRECTORY; i++) {
		if (!h->directory[i].type)
			break;
		if (le32_to_cpu(h->directory[i].type) == type)
			return &h->directory[i];
	}
	return NULL;
}

static const void *section_at(const void *image, u32 type, u32 *length)
{
	const struct dmr_disk_section *s = find_section(image, type);

	*length = s ? le32_to_cpu(s->length) : 0;
	return s ? (const u8 *)image + le32_to_cpu(s->offset) : NULL;
}

static void decode_entry(const struct dmr_disk_entry *from, struct dmr_entry *to)
{
	to->main = le64_to_cpu(from->main_sector);
	to->spare = le64_to_cpu(from->spare_sector);
	to->len = le32_to_cpu(from->length);
	to->spare_index = from->spare_index;
	to->reason = from->reason;
	to->flags = le16_to_cpu(from->flags);
	to->created_ns = le64_to_cpu(from->created_ns);
}

static void encode_entry(const struct dmr_entry *from, struct dmr_disk_entry *to)
{
	to->main_sector = cpu_to_le64(from->main);
	to->spare_sector = cpu_to_le64(from->spare);
	to->length = cpu_to_le32(from->len);
	to->spare_index = from->spare_index;
	to->reason = from->reason;
	to->flags = cpu_to_le16(from->flags);
	to->created_ns = cpu_to_le64(from->created_ns);
}

/* An unsound block may count more entries than it has room for. */
static u32 entries_in(const struct dmr_disk_block *block)
{
	u32 count = le32_to_cpu(block->trailer.entry_count);

	return count < DMR_ENTRIES_PER_BLOCK ? count : DMR_ENTRIES_PER_BLOCK;
}

static u32 count_events(const struct dmr_generation *g)
{
	u32 used = 0;
	u32 i;

	for (i = 0; i < DMR_EVENT_RING; i++)
		used += !!g->events[i].serial;
	return used;
}

void dmr_decode(const void *image, struct dmr_generation *g)
{
	const struct dmr_disk_block *block;
	const void *at;
	u32 length, i;

	dmr_decode_header(image, &g->h);
	memset(g->devices, 0, sizeof(g->devices));
	at = section_at(image, DMR_DEVICES, &length);
	memcpy(g->devices, at, length);
	at = section_at(image, DMR_CONFIG, &length);
	memcpy(&g->config, at, length);
	at = section_at(image, DMR_HEALTH, &length);
	memcpy(&g->health, at, length);
	at = section_at(image, DMR_EVENTS, &length);
	memcpy(g->events, at, length);
	g->event_count = count_events(g);
	g->entry_count = 0;
	block = section_at(image, DMR_REMAPS, &length);
	for (; length; length -= DMR_BLOCK, block++)
		for (i = 0; i < entries_in(block); i++)
			decode_entry(&block->entries[i], &g->entries[g->entry_count++]);
}

/* -- encoding --------------------------------------------------------------------- */

/* CRC32 of a record whose last four bytes are its crc, with these taken as zero. */
static u32 record_crc(const void *record, u32 bytes)
{
	u32 crc = dmr_crc32_le(~0u, record, bytes - 4);

	return ~dmr_crc32_le(crc, zeros, 4);
}

static u32 blocks_for(u32 bytes)
{
	return bytes / DMR_BLOCK + !!(bytes % DMR_BLOCK);
}

static bool is_known(u32 type)
{
	return type >= DMR_DEVICES && type <= DMR_REMAPS;
}

/*
 * Blocks behind 24576 that REMAPS may take; -1: the sections of unknown type
 * alone are too many.
 */
static int remap_room(const void *image)
{
	const struct dmr_disk_header *h = image;
	int blocks = DMR_MAX_REMAP_BLOCKS;
	u32 i;

	for (i = 0; i < DMR_DIRECTORY && h->directory[i].type; i++)
		if (!is_known(le32_to_cpu(h->directory[i].type)))
			blocks -= blocks_for(le32_to_cpu(h->directory[i].length));
	/*
	 * Other writers may have put some of them before REMAPS, where there is
	 * room for one more block.
	 */
	return blocks < 0 ? -1 : blocks;
}

u32 dmr_entry_room(const void *image)
{
	int blocks = remap_room(image);

	return blocks < 0 ? 0 : blocks * DMR_ENTRIES_PER_BLOCK;
}

/*
 * True if an old block may stand for a new one with these entries as it is: to
 * the byte, and with its sequence.
 */
static bool may_stay(const struct dmr_disk_block *old, const struct dmr_disk_block *new,
		     u32 index, u32 count, u64 sequence)
{
	return le32_to_cpu(old->trailer.magic) == DMR_BLOCK_MAGIC &&
	       le32_to_cpu(old->trailer.block_index) == index &&
	       le32_to_cpu(old->trailer.entry_count) == count &&
	       le64_to_cpu(old->trailer.sequence) <= sequence &&
	       !memcmp(old->entries, new->entries, count * sizeof(new->entries[0]));
}

/* Writes the blocks of the entries and returns their length in bytes. */
static u32 encode_remaps(const struct dmr_generation *g, const void *old_image,
			 struct dmr_disk_block *block)
{
	const struct dmr_disk_block *old;
	u32 old_length, index, done = 0;

	old = section_at(old_image, DMR_REMAPS, &old_length);
	for (index = 0; done < g->entry_count; index++, block++) {
		bool had = (u64)(index + 1) * DMR_BLOCK <= old_length;
		u32 left = g->entry_count - done;
		u32 count = left < DMR_ENTRIES_PER_BLOCK ? left : DMR_ENTRIES_PER_BLOCK;
		u32 i;

		memset(block, 0, sizeof(*block));
		for (i = 0; i < count; i++)
			encode_entry(&g->entries[done + i], &block->entries[i]);
		done += count;
		if (had && may_stay(&old[index], block, index, count, g->h.sequence)) {
			memcpy(block, &old[index], sizeof(*block));
			continue;
		}
		if (had)
			block->trailer = old[index].trailer;
		block->trailer.magic = cpu_to_le32(DMR_BLOCK_MAGIC);
		block->trailer.block_index = cpu_to_le32(index);
		block->trailer.entry_count = cpu_to_le32(count);
		block->trailer.sequence = cpu_to_le64(g->h.sequence);
		block->trailer.crc = cpu_to_le32(record_crc(block, sizeof(*block)));
	}
	return index * DMR_BLOCK;
}

/* Offsets of v4.0 writers; the order of a directory is that of the offsets. */
static u32 place_of(u32 type)
{
	switch (type) {
	case DMR_DEVICES:
		return 4096;
	case DMR_CONFIG:
		return 12288;
	case DMR_HEALTH:
		return 16384;
	case DMR_EVENTS:
		return 20480;
	default:
		return DMR_REMAPS_AT;
	}
}

/*
 * By offset; equal offsets happen with empty sections (REMAPS without entries),
 * and these come before the one that begins there, or that would overlap them.
 */
static bool lies_before(const struct dmr_section *a, const struct dmr_section *b)
{
	if (a->offset != b->offset)
		return a->offset < b->offset;
	if (a->length != b->length)
		return a->length < b->length;
	return a->type < b->type;
}

static void insert_section(struct dmr_section *list, u32 count, const struct dmr_section *s)
{
	for (; count && lies_before(s, &list[count - 1]); count--)
		list[count] = list[count - 1];
	list[count] = *s;
}

/*
 * Writes the sections of a generation and lists them. Returns the bytes of the
 * slot in use.
 */
static u32 encode_sections(const struct dmr_generation *g, const void *old_image, u8 *new_image,
			   u32 remaps_length, struct dmr_section list[DMR_DIRECTORY])
{
	const struct dmr_disk_header *old = old_image;
	const u8 *old_bytes = old_image;
	u32 free = DMR_REMAPS_AT + remaps_length;
	struct dmr_disk_device *devices;
	struct dmr_disk_config *config;
	struct dmr_disk_health *health;
	u32 i, k;

	for (i = 0; i < DMR_DIRECTORY && old->directory[i].type; i++) {
		const struct dmr_disk_section *from = &old->directory[i];
		struct dmr_section s = {
			.type = le32_to_cpu(from->type),
			.length = le32_to_cpu(from->length),
			.record_count = le32_to_cpu(from->record_count),
			.reserved = le32_to_cpu(from->reserved),
		};
		u8 *to;

		s.offset = is_known(s.type) ? place_of(s.type) : free;
		to = new_image + s.offset;
		switch (s.type) {
		case DMR_DEVICES:
			s.record_count = 1 + g->h.spare_count;
			s.length = s.record_count * sizeof(struct dmr_disk_device);
			memcpy(to, g->devices, s.length);
			devices = (struct dmr_disk_device *)to;
			for (k = 0; k < s.record_count; k++)
				devices[k].crc = cpu_to_le32(record_crc(&devices[k],
									sizeof(devices[k])));
			break;
		case DMR_CONFIG:
			memcpy(to, &g->config, s.length);
			config = (struct dmr_disk_config *)to;
			config->crc = cpu_to_le32(record_crc(config, sizeof(*config)));
			break;
		case DMR_HEALTH:
			memcpy(to, &g->health, s.length);
			health = (struct dmr_disk_health *)to;
			health->crc = cpu_to_le32(record_crc(health, sizeof(*health)));
			break;
		case DMR_EVENTS:
			s.record_count = count_events(g);
			memcpy(to, g->events, s.length);
			break;
		case DMR_REMAPS:
			s.record_count = g->entry_count;
			s.length = remaps_length;
			break;
		default:
			if (s.length)
				memcpy(to, old_bytes + le32_to_cpu(from->offset), s.length);
			free += blocks_for(s.length) * DMR_BLOCK;
			/* It may end inside a block. */
			memset(to + s.length, 0, new_image + free - to - s.length);
		}
		s.crc = s.length ? dmr_crc32(to, s.length) : 0;
		insert_section(list, i, &s);
	}
	return free;
}

static u32 header_crc_of(const struct dmr_disk_header *h)
{
	const u32 at = offsetof(struct dmr_disk_header, header_crc);
	u32 crc = dmr_crc32_le(~0u, h, at);

	crc = dmr_crc32_le(crc, zeros, 4);
	return ~dmr_crc32_le(crc, (const u8 *)h + at + 4, sizeof(*h) - at - 4);
}

static void encode_header(const struct dmr_generation *g, const void *old_image, u8 *new_image,
			  u32 slot_bytes, const struct dmr_section list[DMR_DIRECTORY])
{
	struct dmr_disk_header *h = (struct dmr_disk_header *)new_image;
	u32 overall = ~0u;
	u32 i;

	/* Reserved bytes, the minor version and feature flags are carried on. */
	memcpy(h, old_image, sizeof(*h));
	h->sequence = cpu_to_le64(g->h.sequence);
	h->written_ns = cpu_to_le64(g->h.written_ns);
	h->created_ns = cpu_to_le64(g->h.created_ns);
	h->parent_crc = cpu_to_le32(g->h.parent_crc);
	h->state = cpu_to_le32(g->h.state);
	memcpy(h->setup_uuid, g->h.setup_uuid, sizeof(h->setup_uuid));
	memset(h->spare_uuid, 0, sizeof(h->spare_uuid));
	h->copy_index = 0;
	h->copy_count = DMR_COPIES;
	h->spare_index = 0;
	h->spare_count = g->h.spare_count;
	h->slot_bytes = cpu_to_le32(slot_bytes);
	h->run_id = cpu_to_le64(g->h.run_id);
	for (i = 0; i < DMR_DIRECTORY; i++) {
		const struct dmr_section *s = &list[i];
		struct dmr_disk_section *to = &h->directory[i];

		to->type = cpu_to_le32(s->type);
		to->offset = cpu_to_le32(s->offset);
		to->length = cpu_to_le32(s->length);
		to->record_count = cpu_to_le32(s->record_count);
		to->crc = cpu_to_le32(s->crc);
		to->reserved = cpu_to_le32(s->reserved);
		overall = dmr_crc32_le(overall, new_image + s->offset, s->length);
	}
	memcpy(h->writer, g->h.writer, sizeof(h->writer));
	h->overall_crc = cpu_to_le32(~overall);
	h->tail = 0;
	h->header_crc = cpu_to_le32(header_crc_of(h));
}

u32 dmr_encode(const struct dmr_generation *g, const void *old_image, void *new_image)
{
	struct dmr_section list[DMR_DIRECTORY] = { { 0 } };
	u32 remaps_length, slot_bytes;
	u8 *bytes = new_image;

	if (remap_room(old_image) < 0 || g->entry_count > dmr_entry_room(old_image) ||
	    !g->h.spare_count || g->h.spare_count > DMR_MAX_SPARES)
		return 0;
	memset(new_image, 0, DMR_REMAPS_AT);
	remaps_length = encode_remaps(g, old_image, (void *)(bytes + DMR_REMAPS_AT));
	slot_bytes = encode_sections(g, old_image, new_image, remaps_length, list);
	encode_header(g, old_image, new_image, slot_bytes, list);
	return slot_bytes;
}

void dmr_seal_header(const void *image, u8 copy_index, u8 spare_index, const u8 spare_uuid[16],
		     void *block)
{
	struct dmr_disk_header *h = block;

	memcpy(block, image, sizeof(*h));
	memset((u8 *)block + sizeof(*h), 0, DMR_BLOCK - sizeof(*h));
	memcpy(h->spare_uuid, spare_uuid, sizeof(h->spare_uuid));
	h->copy_index = copy_index;
	h->spare_index = spare_index;
	h->header_crc = cpu_to_le32(header_crc_of(h));
}

/* -- events ----------------------------------------------------------------------- */

void dmr_add_event(struct dmr_generation *g, u64 time_ns, enum dmr_event_kind kind, u16 device,
		   u64 sector, u32 length, u32 value)
{
	struct dmr_disk_event *e;
	u32 last = 0;
	u32 i;

	for (i = 0; i < DMR_EVENT_RING; i++) {
		u32 serial = le32_to_cpu(g->events[i].serial);

		if (serial > last)
			last = serial;
	}
	if (last == U32_MAX) {
		/*
		 * No serial comes after it, and 0 is an empty place: the ring
		 * begins anew.
		 */
		memset(g->events, 0, sizeof(g->events));
		last = 0;
	}
	e = &g->events[last % DMR_EVENT_RING];
	memset(e, 0, sizeof(*e));
	e->time_ns = cpu_to_le64(time_ns);
	e->sector = cpu_to_le64(sector);
	e->kind = cpu_to_le16(kind);
	e->device = cpu_to_le16(device);
	e->length = cpu_to_le32(length);
	e->value = cpu_to_le32(value);
	e->serial = cpu_to_le32(last + 1);
	g->event_count = count_events(g);
}
