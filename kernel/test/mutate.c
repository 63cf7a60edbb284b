// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mutations of one copy: hostile numbers in any field, pieces of other copies,
 * noise; and the mending of all checksums, so that what was changed gets past
 * them. Which copies are mutated, and what has to hold, is in fuzz-format.c.
 */
#include <stdlib.h>

#include "mutate.h"

static u64 state;

void seed_random(u64 seed)
{
	state = seed;
}

/* splitmix64 */
u64 random64(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

u32 below(u32 limit)
{
	return random64() % limit;
}

bool chance(u32 percent)
{
	return below(100) < percent;
}

/* -- mending ---------------------------------------------------------------------- */

static void put32(u8 *at, u32 value)
{
	__le32 v = cpu_to_le32(value);

	memcpy(at, &v, sizeof(v));
}

static u32 get32(const u8 *at)
{
	__le32 v;

	memcpy(&v, at, sizeof(v));
	return le32_to_cpu(v);
}

void mend_header(u8 *bytes, u32 length)
{
	if (length < DMR_HEADER_BYTES)
		return;
	put32(bytes + 0x1f8, 0);
	put32(bytes + 0x1f8, dmr_crc32(bytes, DMR_HEADER_BYTES));
}

static u32 record_size(u32 type)
{
	switch (type) {
	case DMR_DEVICES:
	case DMR_HEALTH:
		return 512;
	case DMR_CONFIG:
	case DMR_REMAPS:
		return 4096;
	default:
		return 0;
	}
}

void mend(u8 *bytes, u32 length)
{
	u32 overall = ~0u;

	if (length < DMR_HEADER_BYTES)
		return;
	for (u32 i = 0; i < DMR_DIRECTORY; i++) {
		u8 *entry = bytes + 0x80 + 24 * i;
		u32 type = get32(entry), offset = get32(entry + 4), size = get32(entry + 8);
		u32 record = record_size(type);

		if (!type)
			break;
		if (offset > length || size > length - offset)
			continue;
		for (u32 at = 0; record && at + record <= size; at += record) {
			u8 *crc = bytes + offset + at + record - 4;

			put32(crc, 0);
			put32(crc, dmr_crc32(bytes + offset + at, record));
		}
		put32(entry + 16, dmr_crc32(bytes + offset, size));
		overall = dmr_crc32_le(overall, bytes + offset, size);
	}
	put32(bytes + 0x1f4, ~overall);
	mend_header(bytes, length);
}

/* -- numbers in fields ------------------------------------------------------------ */

/* Fields of a structure: offset and size in bytes of each. */
struct field {
	u16 at;
	u16 size;
};

static const struct field header_fields[] = {
	{ 0x00, 8 },  { 0x10, 2 },  { 0x12, 2 },  { 0x14, 4 },  { 0x18, 8 },  { 0x20, 8 },
	{ 0x28, 8 },  { 0x30, 8 },  { 0x30, 8 },  { 0x38, 8 },  { 0x48, 4 },  { 0x4c, 4 },
	{ 0x50, 8 },  { 0x60, 8 },  { 0x70, 1 },  { 0x71, 1 },  { 0x72, 1 },  { 0x73, 1 },
	{ 0x74, 4 },  { 0x74, 4 },  { 0x78, 8 },  { 0x78, 8 },  { 0x160, 4 }, { 0x1f4, 4 },
	{ 0x1fc, 4 },
};

static const struct field directory_fields[] = {
	{ 0, 4 }, { 4, 4 }, { 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 },
};

static const struct field device_fields[] = {
	{ 0, 1 },   { 1, 1 },   { 2, 2 },   { 4, 4 },   { 8, 4 },   { 16, 8 }, { 24, 8 },
	{ 32, 8 },  { 40, 8 },  { 456, 4 }, { 472, 8 }, { 480, 8 }, { 488, 8 }, { 496, 8 },
};

static const struct field config_fields[] = {
	{ 0, 1 },   { 1, 2 },   { 80, 8 },  { 88, 1 },  { 127, 1 }, { 640, 8 }, { 648, 4 },
	{ 680, 1 }, { 682, 1 }, { 683, 1 }, { 688, 1 }, { 704, 4 }, { 2048, 8 },
};

static const struct field health_fields[] = {
	{ 0, 4 }, { 4, 4 }, { 8, 8 }, { 48, 8 },
};

static const struct field event_fields[] = {
	{ 0, 8 }, { 8, 8 }, { 16, 2 }, { 18, 2 }, { 20, 4 }, { 24, 4 }, { 28, 4 },
};

static const struct field entry_fields[] = {
	{ 0, 8 }, { 8, 8 }, { 16, 4 }, { 20, 1 }, { 21, 1 }, { 22, 2 }, { 24, 8 },
};

static const struct field trailer_fields[] = {
	{ 0, 4 }, { 4, 4 }, { 8, 4 }, { 12, 4 }, { 16, 8 }, { 24, 4 },
};

static const u64 numbers[] = {
	0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 100, 101, 127, 128, 129, 255, 256, 511, 512, 513, 4095,
	4096, 4097, 8192, 9215, 9216, 16383, 16384, 20480, 24575, 24576, 24577, 32768, 65535, 65536,
	15494, 15495, 0x34424d52, 524287, 524288, 524289, 0x7fffffff, 0x80000000, 0xfffff000,
	0xffffffff, 0x100000000ULL, 0x7ffffffffffffffeULL, 0x7fffffffffffffffULL,
	0x8000000000000000ULL, 0xfffffffffffffffeULL, 0xffffffffffffffffULL,
};

static u64 get(const u8 *at, u32 size)
{
	u64 value = 0;

	while (size--)
		value = value << 8 | at[size];
	return value;
}

static void put(u8 *at, u32 size, u64 value)
{
	for (; size--; value >>= 8)
		*at++ = value;
}

static void change_number(u8 *at, u32 size)
{
	u64 value = get(at, size);

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		value = numbers[below(ARRAY_SIZE(numbers))];
		break;
	case 3:
		value++;
		break;
	case 4:
		value--;
		break;
	case 5:
		value ^= 1ULL << below(8 * size);
		break;
	case 6:
		value += (u64)below(64) - 32;
		break;
	default:
		value = random64();
	}
	put(at, size, value);
}

#define pick_field(list) ((list)[below(ARRAY_SIZE(list))])

/* Where a record of a section lies; 0 if the slot has none there. */
static u32 record_at(const struct slot *slot, u32 type, u32 size)
{
	for (u32 i = 0; i < DMR_DIRECTORY; i++) {
		const u8 *entry = slot->bytes + 0x80 + 24 * i;
		u32 offset = get32(entry + 4), length = get32(entry + 8);

		if (get32(entry) != type)
			continue;
		if (length < size || offset > slot->length || length > slot->length - offset)
			return 0;
		return offset + below(length / size) * size;
	}
	return 0;
}

static void copy_uuid(struct slot *slot, u32 record)
{
	const u32 at = offsetof(struct dmr_disk_device, device_uuid);
	u32 other = record_at(slot, DMR_DEVICES, sizeof(struct dmr_disk_device));

	if (!other || chance(20))
		memset(slot->bytes + record + at, 0, 16);
	else
		memmove(slot->bytes + record + at, slot->bytes + other + at, 16);
}

static void change_field(struct slot *slot)
{
	u32 kind = below(100);
	struct field field;
	u32 base;

	if (slot->length < DMR_HEADER_BYTES)
		return;
	if (kind < 22) {
		base = 0;
		field = pick_field(header_fields);
	} else if (kind < 36) {
		base = 0x80 + 24 * below(DMR_DIRECTORY);
		field = pick_field(directory_fields);
	} else if (kind < 50) {
		base = record_at(slot, DMR_DEVICES, sizeof(struct dmr_disk_device));
		field = pick_field(device_fields);
	} else if (kind < 58) {
		base = record_at(slot, DMR_CONFIG, sizeof(struct dmr_disk_config));
		field = pick_field(config_fields);
	} else if (kind < 61) {
		base = record_at(slot, DMR_HEALTH, sizeof(struct dmr_disk_health));
		field = pick_field(health_fields);
	} else if (kind < 68) {
		base = record_at(slot, DMR_EVENTS, sizeof(struct dmr_disk_event));
		field = pick_field(event_fields);
	} else if (kind < 90) {
		base = record_at(slot, DMR_REMAPS, sizeof(struct dmr_disk_entry));
		field = pick_field(entry_fields);
	} else {
		base = record_at(slot, DMR_REMAPS, sizeof(struct dmr_disk_block));
		field = pick_field(trailer_fields);
		if (base)
			base += offsetof(struct dmr_disk_block, trailer);
	}
	if (!base && kind >= 36)
		return;
	/* No number makes two uuids equal. */
	if (field.at == offsetof(struct dmr_disk_device, device_uuid) && kind >= 36 && kind < 50)
		copy_uuid(slot, base);
	else
		change_number(slot->bytes + base + field.at, field.size);
}

/* -- pieces and noise ------------------------------------------------------------- */

/* Two directory entries, records, sectors or blocks of the copy change places. */
static void swap_parts(struct slot *slot)
{
	static const u32 sizes[] = { 24, 32, 512, 4096 };
	u32 size = sizes[below(ARRAY_SIZE(sizes))];
	u32 base = size == 24 ? 0x80 : 0;
	u32 places = size == 24 ? DMR_DIRECTORY : slot->length / size;
	u8 kept[4096];
	u8 *a, *b;

	if (slot->length < DMR_HEADER_BYTES || places < 2)
		return;
	a = slot->bytes + base + below(places) * size;
	b = slot->bytes + base + below(places) * size;
	memcpy(kept, a, size);
	memmove(a, b, size);
	memcpy(b, kept, size);
}

static void graft(struct slot *slot, const struct slot *other)
{
	u32 length = slot->length < other->length ? slot->length : other->length;
	u32 size = chance(30) ? 512 : 4096;
	u32 start;

	if (length < size)
		return;
	start = chance(30) ? 0 : below(length / size) * size;
	memcpy(slot->bytes + start, other->bytes + start, size);
}

/* All of another copy, with or without its end. */
static void replace(struct slot *slot, const struct slot *other)
{
	u32 length = chance(80) || !other->length ? other->length : below(other->length);

	slot_set(slot, other->bytes, length);
}

static void scribble(struct slot *slot)
{
	u32 start, length, what = below(3);

	if (!slot->length)
		return;
	start = below(slot->length);
	length = 1 + below(chance(50) ? 16 : 4096);
	for (; length-- && start < slot->length; start++)
		slot->bytes[start] = what == 0 ? 0 : what == 1 ? 0xff : random64();
}

/* Bytes at the end go away, or some come to it. */
static void resize(struct slot *slot)
{
	struct slot longer = { 0 };
	u32 length = chance(50) ? below(slot->length + 1) : 4096 * below(DMR_SLOT_BYTES / 4096 + 1);
	u32 keep = length < slot->length ? length : slot->length;

	slot_set(&longer, NULL, length);
	memset(longer.bytes, 0, length);
	memcpy(longer.bytes, slot->bytes, keep);
	slot_free(slot);
	*slot = longer;
}

void mutate(struct slot *slot, const struct slot *other)
{
	u32 how = below(100);

	if (!slot->bytes)
		return;
	if (how < 72)
		change_field(slot);
	else if (how < 80)
		swap_parts(slot);
	else if (how < 88 && other->bytes)
		graft(slot, other);
	else if (how < 92 && other->bytes)
		replace(slot, other);
	else if (how < 97)
		scribble(slot);
	else
		resize(slot);
}
