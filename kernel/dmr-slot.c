// SPDX-License-Identifier: GPL-2.0-only
/*
 * One copy of the metadata: its blocks, its header last, and whether they read back.
 * Which copies are written, when and in what order is decided in dmr-commit.c and
 * dmr-order.c.
 */
#include <linux/jiffies.h>

#include "dmr-core.h"

/* @bytes of vmalloc memory, to or from a slot. 0 or a negative errno. */
static int dmr_slot_io(struct dmr_device *d, unsigned int i, unsigned int c, blk_opf_t opf,
		       u32 offset, void *bytes, u32 length)
{
	struct dm_io_region where = {
		.bdev = d->spare[i].dev->bdev,
		.sector = dmr_slot_sector[c] + (offset >> SECTOR_SHIFT),
		.count = length >> SECTOR_SHIFT,
	};
	struct dm_io_request request = {
		.bi_opf = opf | REQ_SYNC | REQ_META,
		.mem.type = DM_IO_VMA,
		.mem.ptr.vma = bytes,
		.client = d->io,
	};

	return dm_io(&request, 1, &where, NULL, IOPRIO_DEFAULT);
}

int dmr_read_slot(struct dmr_device *d, unsigned int i, unsigned int c, u32 offset, void *to,
		  u32 bytes)
{
	return dmr_slot_io(d, i, c, REQ_OP_READ, offset, to, bytes);
}

/* The body of one copy: what it may not hold yet, or all of it. */
static int dmr_write_body(struct dmr_device *d, unsigned int i, unsigned int c)
{
	struct dmr_copy *copy = &d->spare[i].copy[c];
	u32 blocks = d->slot_bytes / DMR_BLOCK, from, to;
	int r = 0;

	if (!copy->good)
		bitmap_fill(copy->pending, DMR_SLOT_BLOCKS);
	for (from = find_next_bit(copy->pending, blocks, 1); !r && from < blocks;
	     from = find_next_bit(copy->pending, blocks, to)) {
		to = find_next_zero_bit(copy->pending, blocks, from);
		r = dmr_slot_io(d, i, c, REQ_OP_WRITE, from * DMR_BLOCK,
				d->image + (size_t)from * DMR_BLOCK, (to - from) * DMR_BLOCK);
	}
	return r;
}

/*
 * The header block, on the medium when this returns. A flush of its own where the
 * device has no FUA: in one request with the write it could not be told whether
 * a bad sector failed, which is our affair, or the flush, which is everyone's.
 * Without a cache there is nothing to flush, and FUA is the same as none.
 */
static int dmr_put_header_block(struct dmr_device *d, unsigned int i, unsigned int c)
{
	bool flush = dmr_makes_fua_of_flush(d->spare[i].dev->bdev);
	int r = dmr_slot_io(d, i, c, REQ_OP_WRITE | (flush ? 0 : REQ_FUA), 0, d->header_block,
			    DMR_BLOCK);

	return r || !flush ? r : dmr_flush_own(d, 1 + i);
}

static int dmr_write_header(struct dmr_device *d, unsigned int i, unsigned int c)
{
	int r;

	dmr_seal_header(d->image, c, i, d->gen->devices[1 + i].device_uuid, d->header_block);
	/* The body is on the medium before the header that vouches for it. */
	r = dmr_flush_own(d, 1 + i);
	return r ?: dmr_put_header_block(d, i, c);
}

/*
 * A header that could not be read may vouch for the body that is about to go:
 * it must not come back with a body that is not its own.
 */
static int dmr_zero_header(struct dmr_device *d, unsigned int i, unsigned int c)
{
	memset(d->header_block, 0, DMR_BLOCK);
	return dmr_put_header_block(d, i, c);
}

/* What was bad once may be bad again: does the body read back? */
static int dmr_verify_body(struct dmr_device *d, unsigned int i, unsigned int c)
{
	u32 bytes = d->slot_bytes - DMR_BLOCK;

	if (dmr_flush_own(d, 1 + i) ||
	    dmr_read_slot(d, i, c, DMR_BLOCK, d->scratch, bytes) ||
	    memcmp(d->scratch, d->image + DMR_BLOCK, bytes))
		return -EIO;
	return 0;
}

/* A header that does not read back must not be left to be read one day. */
static int dmr_verify_header(struct dmr_device *d, unsigned int i, unsigned int c)
{
	if (!dmr_read_slot(d, i, c, 0, d->scratch, DMR_BLOCK) &&
	    !memcmp(d->scratch, d->header_block, DMR_BLOCK))
		return 0;
	dmr_zero_header(d, i, c);
	return -EIO;
}

static void dmr_tell_repaired(struct dmr_device *d, unsigned int i, unsigned int c)
{
	le64_add_cpu(&d->gen->health.repaired_copies, 1);
	d->stats.copies_repaired++;
	dmr_event(d, DMR_EVENT_COPY_REPAIRED, 1 + i, dmr_slot_sector[c],
		  d->slot_bytes >> SECTOR_SHIFT, 0);
}

/*
 * Body, flush, header, flush. What was not good before is read back between, so that
 * no header goes out over a body that is not there.
 */
static int dmr_try_copy(struct dmr_device *d, unsigned int i, unsigned int c)
{
	struct dmr_copy *copy = &d->spare[i].copy[c];
	bool mend = !copy->good;
	int r;

	r = copy->unread ? dmr_zero_header(d, i, c) : 0;
	if (!r)
		r = dmr_write_body(d, i, c);
	if (!r && mend)
		r = dmr_verify_body(d, i, c);
	if (r)
		return r;
	r = dmr_write_header(d, i, c);
	if (!r && mend)
		r = dmr_verify_header(d, i, c);
	if (!r && mend)
		dmr_tell_repaired(d, i, c);
	return r;
}

/* Puts the image on one place, so that at no time a header lies over another's body. */
int dmr_write_copy(struct dmr_device *d, unsigned int i, unsigned int c)
{
	struct dmr_copy *copy = &d->spare[i].copy[c];
	int r;

	copy->whole = false;
	r = dmr_try_copy(d, i, c);
	if (r) {
		copy->good = false;
		copy->dead = true;
		copy->tried = jiffies;
		d->news = true;
		DMWARN("%s: copy %u of spare %u can't be written", dm_table_device_name(d->ti->table),
		       c, i);
		return r;
	}
	memcpy(copy->header, d->header_block, DMR_HEADER_BYTES);
	bitmap_zero(copy->pending, DMR_SLOT_BLOCKS);
	copy->sequence = le64_to_cpu(((struct dmr_disk_header *)d->image)->sequence);
	copy->good = true;
	copy->whole = true;
	copy->unread = false;
	return 0;
}
