// SPDX-License-Identifier: GPL-2.0-only
/*
 * One slot by itself: is its header intact and in range, are all its sections
 * there and as their checksums say (FORMAT.md section 4). What a valid copy may
 * not say is in dmr-rules.c; what it means beside other copies is in
 * dmr-choose.c.
 *
 * Nothing is believed before it was checked: every offset and length is held
 * against slot_bytes, and that against the bytes that are there, before a byte
 * is looked at.
 */
#include "dmr-format.h"

const u32 dmr_slot_sector[DMR_COPIES] = { 0, 1024, 2048, 4096, 8192 };

static const u8 dmr_magic[16] = "dm-remap-v4";

u32 dmr_crc32(const void *p, size_t n)
{
	return ~dmr_crc32_le(~0u, p, n);
}

/* -- joining checksums ------------------------------------------------------------ */

/*
 * The section crcs cover the record crcs, and overall_crc covers the sections.
 * To sum the same bytes once for each level would take three passes over half a
 * megabyte for each of up to forty copies. CRC32 is a polynomial remainder, so
 * that of A followed by B follows from those of A and B and the length of B.
 */

/* Product of two polynomials modulo the CRC's, bit 31 being x^0. */
static u32 crc_multiply(u32 a, u32 b)
{
	u32 product = 0;
	u32 bit;

	for (bit = 1u << 31; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? (b >> 1) ^ 0xedb88320u : b >> 1;
	}
	return product;
}

/* x^(8 * bytes) modulo the CRC's polynomial. */
static u32 crc_power(u32 bytes)
{
	u32 power = 1u << 31;	/* x^0 */
	u32 square = 1u << 23;	/* x^8 */

	for (; bytes; bytes >>= 1) {
		if (bytes & 1)
			power = crc_multiply(square, power);
		square = crc_multiply(square, square);
	}
	return power;
}

static u32 crc_join(u32 a, u32 b, u32 bytes_of_b)
{
	return crc_multiply(crc_power(bytes_of_b), a) ^ b;
}

/* CRC32 of n bytes with the four at `hole` taken as zero. */
static u32 crc_with_hole(const u8 *p, u32 n, u32 hole)
{
	static const u8 zero[4];
	u32 crc = dmr_crc32_le(~0u, p, hole);

	crc = dmr_crc32_le(crc, zero, sizeof(zero));
	return ~dmr_crc32_le(crc, p + hole + 4, n - hole - 4);
}

/* -- header ----------------------------------------------------------------------- */

static void decode_directory(const struct dmr_disk_header *d, struct dmr_header *h)
{
	u32 i;

	h->sections = DMR_DIRECTORY;
	for (i = 0; i < DMR_DIRECTORY; i++) {
		const struct dmr_disk_section *from = &d->directory[i];
		struct dmr_section *to = &h->section[i];

		to->type = le32_to_cpu(from->type);
		to->offset = le32_to_cpu(from->offset);
		to->length = le32_to_cpu(from->length);
		to->record_count = le32_to_cpu(from->record_count);
		to->crc = le32_to_cpu(from->crc);
		to->reserved = le32_to_cpu(from->reserved);
		/* The first unused entry ends the list. */
		if (!to->type && h->sections == DMR_DIRECTORY)
			h->sections = i;
	}
}

void dmr_decode_header(const void *image, struct dmr_header *h)
{
	const struct dmr_disk_header *d = image;

	h->format_major = le16_to_cpu(d->format_major);
	h->format_minor = le16_to_cpu(d->format_minor);
	h->header_bytes = le32_to_cpu(d->header_bytes);
	h->compat = le64_to_cpu(d->compat);
	h->ro_compat = le64_to_cpu(d->ro_compat);
	h->incompat = le64_to_cpu(d->incompat);
	h->sequence = le64_to_cpu(d->sequence);
	h->written_ns = le64_to_cpu(d->written_ns);
	h->created_ns = le64_to_cpu(d->created_ns);
	h->parent_crc = le32_to_cpu(d->parent_crc);
	h->state = le32_to_cpu(d->state);
	memcpy(h->setup_uuid, d->setup_uuid, sizeof(h->setup_uuid));
	memcpy(h->spare_uuid, d->spare_uuid, sizeof(h->spare_uuid));
	h->copy_index = d->copy_index;
	h->copy_count = d->copy_count;
	h->spare_index = d->spare_index;
	h->spare_count = d->spare_count;
	h->slot_bytes = le32_to_cpu(d->slot_bytes);
	h->run_id = le64_to_cpu(d->run_id);
	decode_directory(d, h);
	memcpy(h->writer, d->writer, sizeof(h->writer));
	h->overall_crc = le32_to_cpu(d->overall_crc);
	h->header_crc = le32_to_cpu(d->header_crc);
	h->tail = le32_to_cpu(d->tail);
	memcpy(h->raw, d, sizeof(h->raw));
}

/* Why a known section has not the length or count that it must have, or NULL. */
static const char *section_shape(const struct dmr_section *s, u32 spare_count)
{
	u32 blocks;

	switch (s->type) {
	case DMR_DEVICES:
		if (s->record_count != 1 + spare_count ||
		    s->length != (1 + spare_count) * sizeof(struct dmr_disk_device))
			return "DEVICES has a wrong length or count";
		return NULL;
	case DMR_CONFIG:
		if (s->record_count != 1 || s->length != sizeof(struct dmr_disk_config))
			return "CONFIG has a wrong length or count";
		return NULL;
	case DMR_HEALTH:
		if (s->record_count != 1 || s->length != sizeof(struct dmr_disk_health))
			return "HEALTH has a wrong length or count";
		return NULL;
	case DMR_EVENTS:
		if (s->record_count > DMR_EVENT_RING ||
		    s->length != DMR_EVENT_RING * sizeof(struct dmr_disk_event))
			return "EVENTS has a wrong length or count";
		return NULL;
	case DMR_REMAPS:
		if (s->offset != DMR_REMAPS_AT)
			return "REMAPS lies at a wrong place";
		/* Not rounded up by an addition: record_count may be anything. */
		blocks = s->record_count / DMR_ENTRIES_PER_BLOCK +
			 !!(s->record_count % DMR_ENTRIES_PER_BLOCK);
		if (blocks > DMR_MAX_REMAP_BLOCKS || s->length != blocks * DMR_BLOCK)
			return "REMAPS has a wrong length or count";
		return NULL;
	default:
		return NULL;
	}
}

static const char *directory_range(const struct dmr_header *h, u32 *where)
{
	u32 known[DMR_REMAPS + 1] = { 0 };
	u32 end = DMR_BLOCK;
	u32 i;

	for (i = h->sections; i < DMR_DIRECTORY; i++) {
		*where = i;
		if (h->section[i].type)
			return "a directory entry is in use after an unused one";
	}
	for (i = 0; i < h->sections; i++) {
		const struct dmr_section *s = &h->section[i];
		const char *why;

		*where = i;
		if (s->offset % DMR_BLOCK)
			return "a section is not aligned";
		if (s->offset < end)
			return "a section overlaps what comes before it";
		/* slot_bytes is in range: no sum overflows. */
		if (s->offset > h->slot_bytes || s->length > h->slot_bytes - s->offset)
			return "a section reaches past slot_bytes";
		end = s->offset + s->length;
		why = section_shape(s, h->spare_count);
		if (why)
			return why;
		if (s->type <= DMR_REMAPS)
			known[s->type]++;
	}
	for (i = DMR_DEVICES; i <= DMR_REMAPS; i++) {
		*where = i;
		if (known[i] != 1)
			return "a section is not listed exactly once";
	}
	*where = 0;
	return NULL;
}

static const char *header_range(const struct dmr_header *h, u32 *where)
{
	*where = 0;
	if (h->header_bytes != DMR_HEADER_BYTES)
		return "header_bytes is not 512";
	if (!h->sequence || h->sequence >= DMR_SEQUENCE_LIMIT)
		return "the sequence is invalid";
	if (h->copy_index >= DMR_COPIES)
		return "copy_index is above 4";
	if (h->copy_count != DMR_COPIES)
		return "copy_count is not 5";
	if (!h->spare_count || h->spare_count > DMR_MAX_SPARES)
		return "spare_count is not in 1 to 8";
	if (h->spare_index >= h->spare_count)
		return "spare_index is not below spare_count";
	if (!h->run_id)
		return "run_id is 0";
	if (h->tail)
		return "the last four bytes are not 0";
	if (h->slot_bytes % DMR_BLOCK || h->slot_bytes < DMR_MIN_SLOT_BYTES ||
	    h->slot_bytes > DMR_SLOT_BYTES)
		return "slot_bytes is out of range";
	return directory_range(h, where);
}

void dmr_judge_header(const void *block, u32 bytes, struct dmr_judgement *j)
{
	u32 crc;

	memset(j, 0, sizeof(*j));
	if (!block || bytes < DMR_HEADER_BYTES) {
		j->state = DMR_HEADER_UNREAD;
		j->why = "its header could not be read";
		return;
	}
	if (memcmp(block, dmr_magic, sizeof(dmr_magic))) {
		j->state = DMR_HEADER_NONE;
		j->why = "there is no magic";
		return;
	}
	dmr_decode_header(block, &j->h);
	crc = crc_with_hole(block, DMR_HEADER_BYTES, offsetof(struct dmr_disk_header, header_crc));
	if (crc != j->h.header_crc) {
		j->state = DMR_HEADER_BAD;
		j->why = "its header does not pass its checksum";
		return;
	}
	if (j->h.format_major != DMR_MAJOR || j->h.incompat) {
		j->state = DMR_HEADER_UNKNOWN;
		j->why = j->h.incompat ? "it has features that are not known here" :
					 "its format is not known here";
		return;
	}
	j->why = header_range(&j->h, &j->where);
	j->state = j->why ? DMR_HEADER_ODD : DMR_HEADER_GOOD;
}

bool dmr_is_evidence(const struct dmr_judgement *j)
{
	return j->state >= DMR_HEADER_UNKNOWN && j->h.sequence &&
	       j->h.sequence < DMR_SEQUENCE_LIMIT;
}

bool dmr_same_header(const struct dmr_header *a, const struct dmr_header *b)
{
	const u32 uuid = offsetof(struct dmr_disk_header, spare_uuid);
	const u32 count = offsetof(struct dmr_disk_header, copy_count);
	const u32 spares = offsetof(struct dmr_disk_header, spare_count);
	const u32 crc = offsetof(struct dmr_disk_header, header_crc);
	const u32 tail = offsetof(struct dmr_disk_header, tail);

	/* What lies between: spare_uuid and copy_index, spare_index, header_crc. */
	return !memcmp(a->raw, b->raw, uuid) &&
	       a->raw[count] == b->raw[count] &&
	       !memcmp(a->raw + spares, b->raw + spares, crc - spares) &&
	       !memcmp(a->raw + tail, b->raw + tail, sizeof(a->raw) - tail);
}

/* -- sections --------------------------------------------------------------------- */

/*
 * Not a checksum against accidents but a second opinion about equal checksums:
 * CRC32 is linear, and bytes that differ by a multiple of its polynomial pass
 * all levels of it.
 */
static u64 print_of(u64 print, const u8 *p, u32 n)
{
	__le64 word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		print = (print ^ le64_to_cpu(word)) * 0x9e3779b97f4a7c15ULL;
		print ^= print >> 29;
	}
	while (n--) {
		print = (print ^ *p++) * 0x9e3779b97f4a7c15ULL;
		print ^= print >> 29;
	}
	return print;
}

/*
 * Bytes of a record with a crc in its last four bytes; 0: the section's records
 * have none.
 */
static u32 record_bytes(u32 type)
{
	switch (type) {
	case DMR_DEVICES:
		return sizeof(struct dmr_disk_device);
	case DMR_CONFIG:
		return sizeof(struct dmr_disk_config);
	case DMR_HEALTH:
		return sizeof(struct dmr_disk_health);
	case DMR_REMAPS:
		return sizeof(struct dmr_disk_block);
	default:
		return 0;
	}
}

/*
 * Sums a section and its records in one go. Returns the section's CRC; *bad
 * becomes the number of the first record that does not pass its own, or stays.
 */
static u32 sum_section(u32 type, const u8 *p, u32 length, u32 *bad)
{
	static const u8 zero[4];
	u32 size = record_bytes(type);
	u32 total = 0;
	u32 power, i;

	if (!size)
		return dmr_crc32(p, length);
	power = crc_power(size);
	for (i = 0; i < length / size; i++, p += size) {
		u32 state = dmr_crc32_le(~0u, p, size - 4);
		__le32 stored;

		memcpy(&stored, p + size - 4, sizeof(stored));
		if (~dmr_crc32_le(state, zero, 4) != le32_to_cpu(stored) && *bad == U32_MAX)
			*bad = i;
		total = crc_multiply(power, total) ^ ~dmr_crc32_le(state, p + size - 4, 4);
	}
	return total;
}

bool dmr_is_gap(const struct dmr_header *h, u32 at)
{
	u32 i;

	if (at < DMR_BLOCK)
		return false;
	for (i = 0; i < h->sections; i++)
		if (h->section[i].offset < at + DMR_BLOCK &&
		    h->section[i].offset + h->section[i].length > at)
			return false;
	return true;
}

void dmr_judge(const void *slot, u32 bytes, struct dmr_judgement *j)
{
	u32 overall = 0;
	u32 i;

	dmr_judge_header(slot, bytes, j);
	if (j->state != DMR_HEADER_GOOD)
		return;
	for (i = 0; i < j->h.sections; i++) {
		const struct dmr_section *s = &j->h.section[i];

		if (!s->length || s->offset + s->length <= bytes)
			continue;
		j->cut = true;
		j->where = i;
		j->why = "not all of it could be read";
		return;
	}
	for (i = 0; i < j->h.sections; i++) {
		const struct dmr_section *s = &j->h.section[i];
		u32 bad = U32_MAX;
		u32 crc;

		j->where = i;
		/*
		 * An empty section may lie anywhere, and there is nothing of it
		 * to look at.
		 */
		if (!s->length) {
			if (s->crc) {
				j->why = "a section does not pass its checksum";
				return;
			}
			continue;
		}
		crc = sum_section(s->type, (const u8 *)slot + s->offset, s->length, &bad);
		if (crc != s->crc) {
			j->why = "a section does not pass its checksum";
			return;
		}
		if (bad != U32_MAX) {
			j->why = "a record does not pass its checksum";
			return;
		}
		overall = crc_join(overall, crc, s->length);
		j->print = print_of(j->print, (const u8 *)slot + s->offset, s->length);
	}
	j->where = 0;
	if (overall != j->h.overall_crc) {
		j->why = "the sections together do not pass overall_crc";
		return;
	}
	j->valid = true;
}
