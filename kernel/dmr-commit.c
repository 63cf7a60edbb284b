// SPDX-License-Identifier: GPL-2.0-only
/*
 * Putting a generation on the spares: FORMAT.md section 6, to the letter. One
 * copy at a time over all spares, so that whatever happens, and whenever, the
 * old generation or the new one is whole on every healthy spare.
 *
 * Called by the worker, or by the hooks while the worker is idle.
 */
#include <linux/jiffies.h>

#include "dmr-core.h"

static bool dmr_is_writable(const struct dmr_device *d, unsigned int i, unsigned int c)
{
	const struct dmr_copy *copy = &d->spare[i].copy[c];

	return d->spare[i].alive && !copy->dead && !copy->keep_off;
}

unsigned int dmr_good_copies(const struct dmr_device *d)
{
	unsigned int i, c, n = 0;

	for (i = 0; i < d->spares; i++)
		for (c = 0; c < DMR_COPIES; c++)
			n += d->spare[i].dev && d->spare[i].copy[c].good &&
			     d->spare[i].copy[c].sequence == d->sequence;
	return n;
}

bool dmr_has_dead_copies(const struct dmr_device *d)
{
	unsigned int i, c;

	for (i = 0; i < d->spares; i++)
		for (c = 0; c < DMR_COPIES; c++)
			if (d->spare[i].alive && d->spare[i].copy[c].dead)
				return true;
	return false;
}

void dmr_event(struct dmr_device *d, u16 kind, u16 device, u64 sector, u32 length, u32 value)
{
	dmr_add_event(d->gen, ktime_get_real_ns(), kind, device, sector, length, value);
	d->news = true;
}

/* A spare that does not answer takes part in nothing more before the next activation. */
void dmr_lose_spare(struct dmr_device *d, unsigned int i)
{
	unsigned int c;

	if (!d->spare[i].alive)
		return;
	WRITE_ONCE(d->spare[i].alive, false);
	for (c = 0; c < DMR_COPIES; c++)
		d->spare[i].copy[c].good = false;
	dmr_event(d, DMR_EVENT_SPARE_FAILED, 1 + i, 0, 0, EIO);
	DMERR("%s: spare %u (%s) no longer answers; it is given up until the next activation",
	      dm_table_device_name(d->ti->table), i, d->spare[i].dev->name);
}

static void dmr_set_mode(struct dmr_device *d, enum dmr_mode mode, const char *why)
{
	if (d->mode == mode)
		return;
	WRITE_ONCE(d->mode, mode);
	d->news = true;
	if (mode == DMR_MODE_TAKEN)
		WRITE_ONCE(d->writable, false);
	if (why)
		DMERR("%s: %s", dm_table_device_name(d->ti->table), why);
}

/* -- blocks ----------------------------------------------------------------- */

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

/* Do the sections of both images lie at the same places? */
static bool dmr_same_layout(const void *a, const void *b)
{
	const struct dmr_disk_header *x = a, *y = b;
	unsigned int i;

	for (i = 0; i < DMR_DIRECTORY; i++)
		if (x->directory[i].type != y->directory[i].type ||
		    x->directory[i].offset != y->directory[i].offset)
			return false;
	return true;
}

/*
 * Blocks that differ between two images, or that the old one did not have; all of
 * them when a section moves to where a gap was, for nothing says what a copy has in
 * its gaps.
 */
static void dmr_mark_pending(struct dmr_device *d, u32 old_bytes, u32 new_bytes)
{
	bool same_layout = dmr_same_layout(d->image, d->next_image);
	u32 block, i, c;

	for (block = 1; block < new_bytes / DMR_BLOCK; block++) {
		size_t at = (size_t)block * DMR_BLOCK;

		if (same_layout && at < old_bytes &&
		    !memcmp(d->image + at, d->next_image + at, DMR_BLOCK))
			continue;
		for (i = 0; i < d->spares; i++)
			for (c = 0; c < DMR_COPIES; c++)
				__set_bit(block, d->spare[i].copy[c].pending);
	}
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

static int dmr_write_header(struct dmr_device *d, unsigned int i, unsigned int c)
{
	dmr_seal_header(d->image, c, i, d->gen->devices[1 + i].device_uuid, d->header_block);
	/* PREFLUSH: the body is on the medium before the header that vouches for it. */
	return dmr_slot_io(d, i, c, REQ_OP_WRITE | REQ_PREFLUSH | REQ_FUA, 0, d->header_block,
			   DMR_BLOCK);
}

/*
 * A header that could not be read may vouch for the body that is about to go:
 * it must not come back with a body that is not its own.
 */
static int dmr_zero_header(struct dmr_device *d, unsigned int i, unsigned int c)
{
	memset(d->header_block, 0, DMR_BLOCK);
	return dmr_slot_io(d, i, c, REQ_OP_WRITE | REQ_FUA, 0, d->header_block, DMR_BLOCK);
}

/* What was bad once may be bad again: does the body read back? */
static int dmr_verify_body(struct dmr_device *d, unsigned int i, unsigned int c)
{
	u32 bytes = d->slot_bytes - DMR_BLOCK;

	if (blkdev_issue_flush(d->spare[i].dev->bdev) ||
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
 * A flush of ours failed. A device tells that once, so whoever flushes next
 * must hear of it if anything of theirs was on the way.
 */
static void dmr_keep_flush_error(struct dmr_spare *s)
{
	if (atomic_read(&s->written) != READ_ONCE(s->flushed))
		set_bit(DMR_SPARE_FLUSH_FAILED, &s->flags);
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
	if (r)
		dmr_keep_flush_error(&d->spare[i]);
	else if (mend)
		r = dmr_verify_header(d, i, c);
	if (!r && mend)
		dmr_tell_repaired(d, i, c);
	return r;
}

/* Puts the image on one place, so that at no time a header lies over another's body. */
static int dmr_write_copy(struct dmr_device *d, unsigned int i, unsigned int c)
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
	copy->sequence = d->gen->h.sequence;
	copy->good = true;
	copy->whole = true;
	copy->unread = false;
	return 0;
}

/* -- before the first write ------------------------------------------------- */

struct dmr_step {
	u8 spare, copy;
};

/* Among equals 1, 2, 3, 4 and last 0. */
static unsigned int dmr_turn(unsigned int copy)
{
	return copy ? copy : DMR_COPIES;
}

/* Must @a be written before @b? What is not whole first, then the older, then by turn. */
static bool dmr_goes_first(const struct dmr_device *d, struct dmr_step a, struct dmr_step b)
{
	const struct dmr_copy *x = &d->spare[a.spare].copy[a.copy];
	const struct dmr_copy *y = &d->spare[b.spare].copy[b.copy];

	if (x->whole != y->whole)
		return y->whole;
	if (x->whole && x->sequence != y->sequence)
		return x->sequence < y->sequence;
	if (a.copy != b.copy)
		return dmr_turn(a.copy) < dmr_turn(b.copy);
	return a.spare < b.spare;
}

/*
 * FORMAT.md says "not known to be good first, then 1, 2, 3, 4, 0". Among copies
 * of several generations that order may overwrite the newest first, and after
 * two cuts a header is left of which nothing whole is: hence by sequence.
 */
static unsigned int dmr_list_steps(const struct dmr_device *d, struct dmr_step *steps)
{
	unsigned int n = 0, i, c, at;

	for (i = 0; i < d->spares; i++) {
		for (c = 0; c < DMR_COPIES; c++) {
			struct dmr_step step = { .spare = i, .copy = c };

			if (!dmr_is_writable(d, i, c))
				continue;
			for (at = n++; at && dmr_goes_first(d, step, steps[at - 1]); at--)
				steps[at] = steps[at - 1];
			steps[at] = step;
		}
	}
	return n;
}

/* Whole copies of the highest sequence that is whole anywhere. */
static unsigned int dmr_newest_whole(const struct dmr_device *d, u64 *sequence)
{
	unsigned int i, c, n = 0;

	*sequence = 0;
	for (i = 0; i < d->spares; i++) {
		for (c = 0; c < DMR_COPIES; c++) {
			const struct dmr_copy *copy = &d->spare[i].copy[c];

			if (!copy->whole || copy->sequence < *sequence)
				continue;
			if (copy->sequence > *sequence)
				n = 0;
			*sequence = copy->sequence;
			n++;
		}
	}
	return n;
}

static bool dmr_is_last_whole(const struct dmr_device *d, struct dmr_step step)
{
	const struct dmr_copy *copy = &d->spare[step.spare].copy[step.copy];
	u64 newest;

	return dmr_newest_whole(d, &newest) == 1 && copy->whole && copy->sequence == newest;
}

static unsigned int dmr_most_on_one_spare(const struct dmr_step *steps, unsigned int n)
{
	unsigned int on[DMR_MAX_SPARES] = { 0 }, most = 0, k;

	for (k = 0; k < n; k++)
		most = max(most, ++on[steps[k].spare]);
	return most;
}

/* Can this commit succeed at all? If not, nothing may be written. */
static int dmr_may_commit(const struct dmr_device *d, const struct dmr_step *steps, unsigned int n)
{
	if (!n || dmr_most_on_one_spare(steps, n) < d->gen->config.min_copies)
		return -EIO;
	/* The last whole copy comes last in order; alone, it may not be touched. */
	return n == 1 && dmr_is_last_whole(d, steps[0]) ? -EIO : 0;
}

/* Is the header of this copy what this run put or found there? -EIO: it can't be read. */
static int dmr_check_header(struct dmr_device *d, unsigned int i, unsigned int c)
{
	struct dmr_copy *copy = &d->spare[i].copy[c];

	if (dmr_read_slot(d, i, c, 0, d->header_block, DMR_BLOCK)) {
		/* Nobody will find its body, so it does not count as whole either. */
		copy->good = false;
		copy->whole = false;
		copy->unread = true;
		return -EIO;
	}
	return memcmp(d->header_block, copy->header, DMR_HEADER_BYTES) ? -EBUSY : 0;
}

/*
 * Shared storage, or a resumed hibernation: has someone else written? One good
 * header per spare is read again. -EIO if there are some, and none can be read.
 */
int dmr_check_ours(struct dmr_device *d)
{
	unsigned int i, c, good = 0, checked = 0;

	for (i = 0; i < d->spares; i++) {
		for (c = 0; d->spare[i].alive && c < DMR_COPIES; c++) {
			int r;

			if (!d->spare[i].copy[c].good)
				continue;
			good++;
			r = dmr_check_header(d, i, c);
			if (r == -EBUSY) {
				dmr_set_mode(d, DMR_MODE_TAKEN,
					     "someone else has written the metadata: no more writes; stop the other one and run dmremap-fsck on the spares");
				return r;
			}
			if (r)
				continue;
			checked++;
			break;
		}
	}
	return good && !checked ? -EIO : 0;
}

/*
 * The data of new entries is durable before any header names them. -EAGAIN: a spare
 * that has some can't be flushed, so it is given up, and the data must go elsewhere.
 */
static int dmr_flush_data(struct dmr_device *d)
{
	unsigned int i, dirty = d->unflushed_data;
	int r = 0;

	d->unflushed_data = 0;
	for (i = 0; i < d->spares; i++) {
		if (!(dirty & BIT(i)))
			continue;
		if (d->spare[i].alive && !blkdev_issue_flush(d->spare[i].dev->bdev))
			continue;
		if (d->spare[i].alive)
			dmr_keep_flush_error(&d->spare[i]);
		dmr_lose_spare(d, i);
		r = -EAGAIN;
	}
	return r;
}

/* -- the new generation ----------------------------------------------------- */

/* Is a spare that belongs to the setup missing or given up? */
static bool dmr_is_degraded(const struct dmr_device *d)
{
	unsigned int i;

	for (i = 0; i < d->spares; i++)
		if (!d->spare[i].alive && !d->spare[i].retired)
			return true;
	return false;
}

u32 dmr_health(const struct dmr_device *d, const struct dmr_table *t)
{
	u32 all = DMR_COPIES * d->spares, score = 100, i, lost = 0;
	u64 used = 0, room = 0;

	for (i = 0; i < d->spares; i++) {
		used += d->spare[i].used;
		room += d->spare[i].data_sectors;
	}
	for (i = 0; i < t->live; i++)
		lost |= t->e[i].flags & DMR_ENTRY_LOST;
	score -= 30 * (all - min(all, dmr_good_copies(d))) / all;
	score -= max_t(u32, 30 * t->count / max(d->room, 1u),
		       div64_u64(30 * min(used, room), room ?: 1));
	score -= lost ? 20 : 0;
	score -= dmr_is_degraded(d) ? 20 : 0;
	return score;
}

static bool dmr_has_writable_copy(const struct dmr_device *d, unsigned int i)
{
	unsigned int c;

	for (c = 0; c < DMR_COPIES; c++)
		if (dmr_is_writable(d, i, c))
			return true;
	return false;
}

static void dmr_stamp_spares(struct dmr_device *d, u64 sequence)
{
	unsigned int i;

	for (i = 0; i < d->spares; i++) {
		struct dmr_disk_device *record = &d->gen->devices[1 + i];

		/* Who is away, or was given up, keeps what the last attempt put on it. */
		if (!dmr_has_writable_copy(d, i))
			continue;
		if (le64_to_cpu(record->last_run) != d->run_id) {
			record->base_sequence = cpu_to_le64(d->spare[i].shown);
			record->last_run = cpu_to_le64(d->run_id);
		}
		record->last_sequence = cpu_to_le64(sequence);
		record->used_sectors = cpu_to_le64(d->spare[i].used);
	}
}

static void dmr_stamp(struct dmr_device *d, const struct dmr_table *t, u32 state, u64 sequence)
{
	struct dmr_header *h = &d->gen->h;

	h->sequence = sequence;
	h->written_ns = ktime_get_real_ns();
	h->parent_crc = d->parent_crc;
	h->run_id = d->run_id;
	h->state = (h->state & ~(DMR_STATE_ACTIVE | DMR_STATE_DEGRADED)) | state |
		   (dmr_is_degraded(d) ? DMR_STATE_DEGRADED : 0);
	memset(h->writer, 0, sizeof(h->writer));
	memcpy(h->writer, DMR_WRITER, sizeof(DMR_WRITER));
	dmr_stamp_spares(d, sequence);
	d->gen->health.score = cpu_to_le32(dmr_health(d, t));
	d->gen->entries = (struct dmr_entry *)t->e;	/* dmr_encode() only reads them */
	d->gen->entry_count = t->count;
}

static u64 dmr_take_sequence(struct dmr_device *d)
{
	u64 step = d->doubtful_load ? 2 : 1;

	if (d->highest > DMR_SEQUENCE_LIMIT - 1 - step)
		return 0;
	d->highest += step;
	d->doubtful_load = false;
	return d->highest;
}

/* -- the commit ------------------------------------------------------------- */

/* Writes the image to all steps in turn; how many copies the best spare got. */
static unsigned int dmr_write_steps(struct dmr_device *d, const struct dmr_step *steps,
				    unsigned int n)
{
	unsigned int on[DMR_MAX_SPARES] = { 0 }, written = 0, most = 0, k;

	for (k = 0; k < n; k++) {
		struct dmr_step s = steps[k];

		if (!d->spare[s.spare].alive || (!written && dmr_is_last_whole(d, s)))
			continue;
		if (!dmr_write_copy(d, s.spare, s.copy)) {
			written++;
			on[s.spare]++;
		} else if (!dmr_has_writable_copy(d, s.spare) || !dmr_spare_answers(d, s.spare)) {
			/* A spare that can be read but not written is of no use either. */
			dmr_lose_spare(d, s.spare);
		}
	}
	/* What lies on a spare that died on the way is not there for the next load. */
	for (k = 0; k < d->spares; k++)
		if (d->spare[k].alive)
			most = max(most, on[k]);
	return most;
}

/*
 * Makes @t the durable truth, with @state (ACTIVE or 0). Returns 0 once that is
 * so on every writable copy, and on min_copies of at least one spare.
 *
 * -EAGAIN: nothing was written, and a spare was given up; see dmr_flush_data().
 * Otherwise -EIO, -EBUSY and the like. d->doubt then says whether the generation that
 * failed may be found by the next load all the same: until a later commit is
 * durable, nothing that it would undo may be acknowledged.
 */
int dmr_commit(struct dmr_device *d, const struct dmr_table *t, u32 state)
{
	struct dmr_step steps[DMR_MAX_SPARES * DMR_COPIES];
	unsigned int n;
	u32 bytes;
	u64 sequence;
	int r;

	if (d->mode == DMR_MODE_RO || d->mode == DMR_MODE_TAKEN)
		return -EROFS;
	r = dmr_flush_data(d);
	if (r)
		return r;
	r = dmr_check_ours(d);
	n = dmr_list_steps(d, steps);
	if (!r)
		r = dmr_may_commit(d, steps, n);
	if (r)
		goto failed;
	sequence = dmr_take_sequence(d);
	if (!sequence) {
		r = -EOVERFLOW;
		goto failed;
	}
	dmr_stamp(d, t, state, sequence);
	bytes = dmr_encode(d->gen, d->image, d->next_image);
	if (!bytes) {
		r = -ENOSPC;
		goto failed;
	}
	dmr_mark_pending(d, d->slot_bytes, bytes);
	swap(d->image, d->next_image);
	d->slot_bytes = bytes;
	d->doubt = true;
	if (dmr_write_steps(d, steps, n) < d->gen->config.min_copies) {
		r = -EIO;
		goto failed;
	}
	d->doubt = false;
	WRITE_ONCE(d->sequence, sequence);
	d->parent_crc = le32_to_cpu(((struct dmr_disk_header *)d->image)->overall_crc);
	d->stats.commits++;
	dmr_set_mode(d, DMR_MODE_RW, NULL);
	return 0;
failed:
	d->stats.failed_commits++;
	if (d->mode != DMR_MODE_TAKEN)
		dmr_set_mode(d, DMR_MODE_FAIL,
			     "the metadata could not be committed: errors are no longer remapped");
	return r;
}

/* Tries copies again that could not be written, if they had their pause. */
void dmr_revive_copies(struct dmr_device *d)
{
	unsigned int i, c, tried = 0;

	if (d->mode == DMR_MODE_RO || d->mode == DMR_MODE_TAKEN)
		return;
	for (i = 0; i < d->spares; i++) {
		for (c = 0; d->spare[i].alive && c < DMR_COPIES; c++) {
			struct dmr_copy *copy = &d->spare[i].copy[c];

			if (!copy->dead || time_before(jiffies, copy->tried + DMR_DEAD_COPY_PAUSE))
				continue;
			copy->dead = false;
			tried++;
			/* After a failed commit the image is not what the setup is. */
			if (!d->doubt && !dmr_check_ours(d))
				dmr_write_copy(d, i, c);
		}
	}
	if (tried && d->mode == DMR_MODE_FAIL)
		dmr_commit(d, dmr_live_table(d), DMR_STATE_ACTIVE);
}
