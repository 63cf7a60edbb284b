// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fast path: where a request goes, and which failures are worth a second
 * look. Nothing here waits, allocates or locks; what has to goes to the worker.
 * Flushes are in dmr-flush.c.
 */
#include "dmr-core.h"

/*
 * How dear a request is that meets no entry decides how dear the target is: up
 * to 2 MiB, and that is nearly all, one or two bits tell.
 */
static __always_inline bool dmr_filter_hit(const struct dmr_device *d, u64 start, u32 sectors)
{
	/* Nobody sends reads of nothing; if someone does, they must not lead out of the filter. */
	u64 bit = dmr_filter_bit(d, start), last = dmr_filter_bit(d, start + sectors - !!sectors);

	if (unlikely(test_bit(bit, d->filter)))
		return true;
	while (unlikely(bit != last))
		if (test_bit(++bit, d->filter))
			return true;
	return false;
}

/* Sectors of main, half-open. Before a table or a hold that names them is seen. */
void dmr_filter_add(struct dmr_device *d, u64 start, u64 end)
{
	u64 bit = dmr_filter_bit(d, start - d->main_start);
	u64 last = dmr_filter_bit(d, end - 1 - d->main_start);

	for (; bit <= last; bit++)
		set_bit(bit, d->filter);
}

static struct dmr_run dmr_find_run(struct dmr_device *d, u64 start, u64 end)
{
	struct dmr_run run;

	rcu_read_lock();
	run = dmr_table_run(rcu_dereference(d->table), start, end);
	rcu_read_unlock();
	return run;
}

/*
 * Where the first hold in [start, end) begins: @start if it is held itself,
 * @end if none. The seqlock's reader side spins only while the worker stores a
 * handful of words.
 */
static u64 dmr_first_hold(struct dmr_device *d, u64 start, u64 end)
{
	unsigned int seq, i, n;
	u64 first;

	do {
		seq = read_seqbegin(&d->hold_lock);
		first = end;
		n = min_t(unsigned int, READ_ONCE(d->holds), DMR_MAX_HOLDS);
		for (i = 0; i < n; i++) {
			u64 from = READ_ONCE(d->hold[i].start);

			if (from < end && READ_ONCE(d->hold[i].end) > start)
				first = min(first, max(from, start));
		}
	} while (read_seqretry(&d->hold_lock, seq));
	return first;
}

/* Cuts the request at @end (sectors of main): dm sends the rest again. */
static void dmr_accept_until(struct bio *bio, struct dmr_io *io, u64 start, u64 end)
{
	if (end - start < bio_sectors(bio)) {
		dm_accept_partial_bio(bio, end - start);
		io->iter.bi_size = bio->bi_iter.bi_size;
	}
}

static __always_inline int dmr_to_main(struct dmr_device *d, struct bio *bio, u64 sector)
{
	bio->bi_iter.bi_sector = sector;
	bio_set_dev(bio, d->main_bdev);
	return DM_MAPIO_REMAPPED;
}

static noinline void dmr_untrack(struct dmr_device *d, struct dmr_io *io)
{
	if (io->tracked) {
		io->tracked = false;
		__acquire(&d->writes);	/* for sparse: taken in dmr_map_change() */
		srcu_read_unlock_notrace(&d->writes, io->srcu);
	}
}

static int dmr_to_worker(struct dmr_device *d, struct bio *bio, struct dmr_io *io)
{
	dmr_untrack(d, io);
	if (bio->bi_opf & REQ_NOWAIT) {
		io->state = DMR_IO_FINISHED;
		bio_wouldblock_error(bio);
	} else {
		dmr_queue_bio(d, bio);
	}
	return DM_MAPIO_SUBMITTED;
}

static int dmr_to_spare(struct dmr_device *d, struct bio *bio, struct dmr_io *io,
			const struct dmr_run *run)
{
	struct dmr_spare *s = &d->spare[run->spare_index];

	/* What is written may move on to another spare; a read has no one else to ask. */
	if (io->tracked && !READ_ONCE(s->alive))
		return dmr_to_worker(d, bio, io);
	if (!dmr_spare_bdev(s))
		return DM_MAPIO_KILL;
	io->spare = 1 + run->spare_index;
	bio_set_dev(bio, dmr_spare_bdev(s));
	bio->bi_iter.bi_sector = run->spare_sector;
	return DM_MAPIO_REMAPPED;
}

static noinline int dmr_map_remapped_read(struct dmr_device *d, struct bio *bio,
					  struct dmr_io *io, u64 start)
{
	struct dmr_run run = dmr_find_run(d, start, start + bio_sectors(bio));

	dmr_accept_until(bio, io, start, run.end);
	switch (run.kind) {
	case DMR_RUN_MAIN:
		return dmr_to_main(d, bio, start);
	case DMR_RUN_SPARE:
		return dmr_to_spare(d, bio, io, &run);
	default:
		/* LOST: never zeros, never what the spare holds (FORMAT.md section 7). */
		return DM_MAPIO_KILL;
	}
}

/* Writes, discards and write-zeroes: everything that changes data. */
static int dmr_map_change(struct dmr_device *d, struct bio *bio, struct dmr_io *io, u64 start)
{
	u64 end = start + bio_sectors(bio), held;
	struct dmr_run run;

	if (unlikely(!READ_ONCE(d->writable)))
		return DM_MAPIO_KILL;
	io->srcu = srcu_read_lock_notrace(&d->writes);
	__release(&d->writes);	/* for sparse: kept until dmr_untrack() */
	io->tracked = true;
	if (likely(!dmr_filter_hit(d, start - d->main_start, bio_sectors(bio))))
		return dmr_to_main(d, bio, start);

	held = dmr_first_hold(d, start, end);
	if (held == start) {
		/* Up to the end of what is held would do; the worker takes it whole. */
		return dmr_to_worker(d, bio, io);
	}
	run = dmr_find_run(d, start, held);
	dmr_accept_until(bio, io, start, run.end);
	if (run.kind == DMR_RUN_MAIN)
		return dmr_to_main(d, bio, start);
	if (bio_op(bio) == REQ_OP_DISCARD) {
		/* A hint, and what it is about no longer lies where it points. */
		dmr_untrack(d, io);
		io->state = DMR_IO_FINISHED;
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (run.kind == DMR_RUN_SPARE)
		return dmr_to_spare(d, bio, io, &run);
	/* The first write to LOST sectors heals them, and that takes a commit. */
	return dmr_to_worker(d, bio, io);
}

/* All but plain reads: kept out of the way of what most requests are. */
static noinline int dmr_map_other(struct dmr_device *d, struct bio *bio, struct dmr_io *io)
{
	u64 start = io->iter.bi_sector + d->main_start;

	if (bio_op(bio) == REQ_OP_READ)
		return dmr_map_remapped_read(d, bio, io, start);
	if (!bio_sectors(bio))
		return dmr_map_flush(d, bio, io);
	return dmr_map_change(d, bio, io, start);
}

int dmr_map(struct dm_target *ti, struct bio *bio)
{
	struct dmr_device *d = ti->private;
	struct dmr_io *io = dm_per_bio_data(bio, sizeof(*io));

	io->iter = bio->bi_iter;
	io->all = 0;
	if (unlikely(bio_op(bio) != REQ_OP_READ ||
		     dmr_filter_hit(d, bio->bi_iter.bi_sector, bio_sectors(bio))))
		return dmr_map_other(d, bio, io);
	return dmr_to_main(d, bio, bio->bi_iter.bi_sector + d->main_start);
}

/*
 * Of main, only what a medium does is worth a second look: a path that failed, a
 * device that is gone or does not know the command would eat the spares. A
 * spare that takes no writes for whatever reason is one to move on from.
 */
static bool dmr_is_worth_a_look(struct dmr_device *d, blk_status_t status, struct bio *bio,
				const struct dmr_io *io)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		/* What lies on a spare that is given up can't be had, and asking takes long. */
		if (io->spare && !READ_ONCE(d->spare[io->spare - 1].alive))
			return false;
		return dmr_is_of_medium(status) || status == BLK_STS_PROTECTION;
	case REQ_OP_WRITE:
		return io->spare ? status != BLK_STS_AGAIN : dmr_is_of_medium(status);
	case REQ_OP_WRITE_ZEROES:
		/* dm hears of these two that the device does not know the command. */
		if (status == BLK_STS_NOTSUPP || status == BLK_STS_TARGET)
			return false;
		return io->spare ? status != BLK_STS_AGAIN : dmr_is_of_medium(status);
	default:
		return false;
	}
}

static noinline int dmr_failed(struct dmr_device *d, struct bio *bio, struct dmr_io *io,
			       blk_status_t status)
{
	if (io->state == DMR_IO_FINISHED)
		return DM_ENDIO_DONE;
	/* Nobody waits for read-ahead, and no disk is judged by it. */
	if (!dmr_is_worth_a_look(d, status, bio, io) || (bio->bi_opf & REQ_RAHEAD))
		return DM_ENDIO_DONE;
	io->failed = true;
	dmr_queue_bio(d, bio);
	return DM_ENDIO_INCOMPLETE;
}

int dmr_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct dmr_device *d = ti->private;
	struct dmr_io *io;

	/* A read that went well left nothing to undo. */
	if (likely(!*error && bio_op(bio) == REQ_OP_READ))
		return DM_ENDIO_DONE;
	io = dm_per_bio_data(bio, sizeof(*io));
	if (unlikely(!io->iter.bi_size))
		return dmr_end_flush(d, bio, io, error);
	/* Before anyone hears of it. The worker counts its own. */
	if (unlikely(io->spare) && !*error && io->state != DMR_IO_FINISHED)
		atomic_long_inc(&d->spare[io->spare - 1].flushes.written);
	dmr_untrack(d, io);
	if (likely(!*error))
		return DM_ENDIO_DONE;
	return dmr_failed(d, bio, io, *error);
}
