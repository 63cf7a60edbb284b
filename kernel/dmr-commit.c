// SPDX-License-Identifier: GPL-2.0-only
/*
 * Putting a generation on the spares: FORMAT.md section 6, to the letter. One
 * copy at a time over all spares, so that whatever happens, and whenever, the
 * old generation or the new one is whole on every healthy spare. What has a say
 * in it is in dmr-order.c, writing one copy in dmr-slot.c.
 *
 * Called by the worker, or by the hooks while the worker is idle.
 */
#include <linux/jiffies.h>

#include "dmr-core.h"

void dmr_set_mode(struct dmr_device *d, enum dmr_mode mode, const char *why)
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
		if (d->spare[i].alive && !dmr_flush_own(d, 1 + i))
			continue;
		dmr_lose_spare(d, i);
		r = -EAGAIN;
	}
	return r;
}

/* -- the new generation ----------------------------------------------------- */

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

/* The most copies on one spare that is still there: what died on the way no load will find. */
static unsigned int dmr_most_alive(const struct dmr_device *d, const unsigned int *on)
{
	unsigned int i, most = 0;

	for (i = 0; i < d->spares; i++)
		if (d->spare[i].alive)
			most = max(most, on[i]);
	return most;
}

/* Writes the image to all steps in turn; how many copies the best spare got. */
static unsigned int dmr_write_steps(struct dmr_device *d, const struct dmr_step *steps,
				    unsigned int n)
{
	unsigned int on[DMR_MAX_SPARES] = { 0 }, k;

	for (k = 0; k < n; k++) {
		struct dmr_step s = steps[k];

		if (!d->spare[s.spare].alive || (!dmr_most_alive(d, on) && dmr_is_last_whole(d, s)))
			continue;
		if (!dmr_write_copy(d, s.spare, s.copy))
			on[s.spare]++;
		else if (!dmr_has_writable_copy(d, s.spare) || !dmr_spare_answers(d, s.spare))
			/* A spare that can be read but not written is of no use either. */
			dmr_lose_spare(d, s.spare);
	}
	return dmr_most_alive(d, on);
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

/* Puts together the new generation, as the image, and what of it each copy lacks. */
static int dmr_make_image(struct dmr_device *d, const struct dmr_table *t, u32 state)
{
	u64 sequence = dmr_take_sequence(d);
	u32 bytes;

	if (!sequence)
		return -EOVERFLOW;
	dmr_stamp(d, t, state, sequence);
	bytes = dmr_encode(d->gen, d->image, d->next_image);
	if (!bytes)
		return -ENOSPC;
	dmr_mark_pending(d, d->slot_bytes, bytes);
	swap(d->image, d->next_image);
	d->slot_bytes = bytes;
	return 0;
}

static int dmr_write_generation(struct dmr_device *d, const struct dmr_table *t, u32 state)
{
	struct dmr_step steps[DMR_MAX_SPARES * DMR_COPIES];
	unsigned int n = dmr_list_steps(d, steps);
	int r = dmr_may_commit(d, steps, n);

	if (r)
		return r;
	dmr_begin_telling(d);
	r = dmr_make_image(d, t, state);
	if (!r) {
		d->doubt = true;
		r = dmr_write_steps(d, steps, n) < d->gen->config.min_copies ? -EIO : 0;
	}
	dmr_end_telling(d, r);
	return r;
}

static const char *dmr_why_no_commit(int r)
{
	switch (r) {
	case -EOVERFLOW:
		return "no sequence is left for another commit";
	case -ENOSPC:
		return "the entries do not fit beside sections of the metadata that are not known here";
	default:
		return "the metadata could not be committed: errors are no longer remapped";
	}
}

/*
 * Makes @t the durable truth, with @state (ACTIVE or 0), and what the draft has to
 * tell. Returns 0 once that is so on every writable copy, and on min_copies of at
 * least one spare.
 *
 * -EAGAIN: nothing was written, and a spare was given up; see dmr_flush_data().
 * Otherwise -EIO, -EBUSY and the like. d->doubt then says whether the generation that
 * failed may be found by the next load all the same: until a later commit is
 * durable, nothing that it would undo may be acknowledged.
 */
int dmr_commit(struct dmr_device *d, const struct dmr_table *t, u32 state)
{
	int r;

	if (d->mode == DMR_MODE_RO || d->mode == DMR_MODE_TAKEN)
		return -EROFS;
	/* First of all: a spare that this gives up may hold new data. */
	r = dmr_check_ours(d);
	if (!r)
		r = dmr_flush_data(d);
	if (r == -EAGAIN)
		return r;
	if (!r)
		r = dmr_write_generation(d, t, state);
	if (r) {
		d->stats.failed_commits++;
		if (d->mode != DMR_MODE_TAKEN)
			dmr_set_mode(d, DMR_MODE_FAIL, dmr_why_no_commit(r));
		return r;
	}
	d->doubt = false;
	WRITE_ONCE(d->sequence, d->gen->h.sequence);
	d->parent_crc = le32_to_cpu(((struct dmr_disk_header *)d->image)->overall_crc);
	d->stats.commits++;
	dmr_set_mode(d, DMR_MODE_RW, NULL);
	return 0;
}

static bool dmr_had_its_pause(const struct dmr_copy *copy)
{
	return copy->dead && !time_before(jiffies, copy->tried + DMR_DEAD_COPY_PAUSE);
}

/* Tries copies again that could not be written, if they had their pause. */
void dmr_revive_copies(struct dmr_device *d)
{
	/* After a failed commit the image is not what the setup is: only another commit helps. */
	bool again = d->mode == DMR_MODE_FAIL || d->doubt;
	unsigned int i, c, tried = 0;

	if (d->mode == DMR_MODE_RO || d->mode == DMR_MODE_TAKEN || (!again && dmr_check_ours(d)))
		return;
	for (i = 0; i < d->spares; i++) {
		for (c = 0; d->spare[i].alive && c < DMR_COPIES; c++) {
			if (!dmr_had_its_pause(&d->spare[i].copy[c]))
				continue;
			d->spare[i].copy[c].dead = false;
			tried++;
			if (!again)
				dmr_write_copy(d, i, c);
		}
	}
	if (again && tried)
		dmr_commit(d, dmr_live_table(d), DMR_STATE_ACTIVE);
}
