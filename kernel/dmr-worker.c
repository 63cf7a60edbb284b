// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must wait: failed reads and writes, writes to LOST or held sectors, the
 * work of messages. One ordered work item per device does it all, in batches
 * that share one commit. It may not wait for memory that I/O would free.
 */
#include <linux/sched/mm.h>

#include "dmr-core.h"

/* Requests that may share one commit, and wait for one another. */
#define DMR_BATCH 64
#define DMR_PIECE_SECTORS 2048

static struct dmr_io *dmr_io_of(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct dmr_io));
}

void dmr_queue_bio(struct dmr_device *d, struct bio *bio)
{
	unsigned long flags;

	dmr_io_of(bio)->state = DMR_IO_QUEUED;
	spin_lock_irqsave(&d->lock, flags);
	bio_list_add(&d->bios, bio);
	queue_work(d->wq, &d->work);
	spin_unlock_irqrestore(&d->lock, flags);
}

static struct bio *dmr_next_bio(struct dmr_device *d)
{
	struct bio *bio;

	spin_lock_irq(&d->lock);
	bio = bio_list_pop(&d->bios);
	spin_unlock_irq(&d->lock);
	return bio;
}

static void dmr_finish(struct bio *bio, blk_status_t status)
{
	dmr_io_of(bio)->state = DMR_IO_FINISHED;
	bio->bi_status = status;
	bio_endio(bio);
}

/* -- one request, piece by piece -------------------------------------------- */

/* A request at the worker; sectors of main. */
struct dmr_request {
	struct bio *bio;
	struct bvec_iter iter;
	u64 start, end;
	bool zeroes;
	bool failed;		/* in part, at the worker */
	bool again;		/* all of it, where it was sent before, and it went well */
	unsigned int to_flush;	/* FUA: devices (0 main, 1 + i spare i) that have it in a cache */
};

static struct dmr_request dmr_request_of(struct dmr_device *d, struct bio *bio)
{
	struct dmr_io *io = dmr_io_of(bio);
	struct dmr_request rq = {
		.bio = bio,
		.iter = io->iter,
		.start = io->iter.bi_sector + d->main_start,
		.zeroes = bio_op(bio) == REQ_OP_WRITE_ZEROES,
	};

	rq.end = rq.start + (io->iter.bi_size >> SECTOR_SHIFT);
	return rq;
}

/* The iterator at @sector, for @sectors of it. */
static struct bvec_iter dmr_iter_at(const struct dmr_request *rq, u64 sector, u64 sectors)
{
	struct bvec_iter iter = rq->iter;

	if (!rq->zeroes && sector > rq->start)
		bio_advance_iter(rq->bio, &iter, (sector - rq->start) << SECTOR_SHIFT);
	iter.bi_size = sectors << SECTOR_SHIFT;
	return iter;
}

/* Where the sectors of @run are now; NULL: on a spare that is not there. */
static struct block_device *dmr_run_device(struct dmr_device *d, const struct dmr_run *run)
{
	if (run->kind == DMR_RUN_MAIN)
		return d->main_bdev;
	return dmr_spare_bdev(&d->spare[run->spare_index]);
}

static u64 dmr_run_sector(const struct dmr_run *run, u64 start)
{
	return run->kind == DMR_RUN_MAIN ? start : run->spare_sector;
}

static unsigned int dmr_run_number(const struct dmr_run *run)
{
	return run->kind == DMR_RUN_MAIN ? 0 : 1 + run->spare_index;
}

/*
 * [start, end) of the request, to or from where @run has it. FUA is a flush apart, at the end of
 * the request, where the block layer would make one: its failure is not to be
 * taken for a bad sector.
 */
static blk_status_t dmr_do_piece(struct dmr_device *d, struct dmr_request *rq, u64 start, u64 end,
				 const struct dmr_run *run)
{
	struct block_device *bdev = dmr_run_device(d, run);
	blk_opf_t fua = rq->bio->bi_opf & REQ_FUA;
	u64 to = dmr_run_sector(run, start);
	blk_status_t status;

	if (fua && dmr_makes_fua_of_flush(bdev)) {
		rq->to_flush |= BIT(dmr_run_number(run));
		fua = 0;
	}
	if (rq->zeroes)
		status = errno_to_blk_status(dmr_zero(bdev, to, end - start, fua |
						      (rq->bio->bi_opf & REQ_NOUNMAP)));
	else
		status = dmr_rw_bio(d, rq->bio, dmr_iter_at(rq, start, end - start), bdev, to, fua);
	rq->failed |= !!status;
	return status;
}

/* In DMR_MODE_FAIL the next commit may succeed: it looks before it writes. */
static bool dmr_may_commit_now(const struct dmr_device *d)
{
	return d->mode == DMR_MODE_RW || d->mode == DMR_MODE_FAIL;
}

static bool dmr_may_remap(const struct dmr_device *d)
{
	return dmr_may_commit_now(d) && !d->features.no_auto_remap && d->gen->config.auto_remap;
}

static void dmr_count_error(struct dmr_device *d, bool write, const struct dmr_run *run,
			    u64 sector)
{
	if (write)
		d->stats.write_errors++;
	else
		d->stats.read_errors++;
	le64_add_cpu(write ? &d->gen->health.write_errors : &d->gen->health.read_errors, 1);
	dmr_event(d, write ? DMR_EVENT_WRITE_ERROR : DMR_EVENT_READ_ERROR, dmr_run_number(run),
		  dmr_run_sector(run, sector), d->block_sectors, EIO);
}

/* -- reads ------------------------------------------------------------------ */

/*
 * One block that could not be read twice. What a spare or main can't give any
 * more becomes LOST, durably, before anyone hears of it; what could be read
 * once more meanwhile is delivered.
 */
static blk_status_t dmr_read_bad_block(struct dmr_device *d, struct dmr_request *rq,
				       u64 sector, const struct dmr_run *bad)
{
	u64 end = min(sector + d->block_sectors, rq->end);
	struct dmr_run run;

	dmr_count_error(d, false, bad, sector);
	if (!dmr_may_remap(d) || dmr_move_unit(d, sector, DMR_REASON_READ, NULL, 0, 0) < 0)
		return BLK_STS_IOERR;
	run = dmr_table_run(dmr_view(d), sector, end);
	if (run.kind == DMR_RUN_LOST || !dmr_run_device(d, &run) || run.end != end)
		return BLK_STS_IOERR;
	return dmr_do_piece(d, rq, sector, end, &run);
}

static bool dmr_run_answers(struct dmr_device *d, const struct dmr_run *run)
{
	if (run->kind == DMR_RUN_MAIN)
		return dmr_main_answers(d);
	if (dmr_spare_answers(d, run->spare_index))
		return true;
	dmr_lose_spare(d, run->spare_index);
	return false;
}

static blk_status_t dmr_read_run(struct dmr_device *d, struct dmr_request *rq, u64 start,
				 const struct dmr_run *run)
{
	blk_status_t worst = BLK_STS_OK;
	u64 sector;

	if (run->kind == DMR_RUN_LOST || !dmr_run_device(d, run))
		return BLK_STS_IOERR;
	if (!dmr_do_piece(d, rq, start, run->end, run)) {
		d->stats.retried_reads++;
		return BLK_STS_OK;
	}
	if (!dmr_run_answers(d, run))
		return BLK_STS_IOERR;
	for (sector = start; sector < run->end; sector += d->block_sectors) {
		u64 end = min(sector + d->block_sectors, run->end);
		/* A block before this one may have taken its whole unit along. */
		struct dmr_run now = dmr_table_run(dmr_view(d), sector, end);

		if (now.kind == DMR_RUN_LOST || !dmr_run_device(d, &now))
			worst = BLK_STS_IOERR;
		else if (dmr_do_piece(d, rq, sector, end, &now) &&
			 dmr_read_bad_block(d, rq, sector, &now))
			worst = BLK_STS_IOERR;
	}
	return worst;
}

/* -- writes ----------------------------------------------------------------- */

/*
 * Puts the request's part of the unit around @sector on a fresh extent.
 * [start, end) is what just failed there. Sets *done to the first sector that
 * is not dealt with.
 */
static blk_status_t dmr_write_elsewhere(struct dmr_device *d, const struct dmr_request *rq,
					u64 start, u64 end, bool bad_spare, u64 *done)
{
	u64 base = start & ~(u64)(d->unit - 1);
	u64 from = max(rq->start, base), to = min(rq->end, base + d->unit);
	struct dmr_overlay over = {
		.bio = rq->bio, .start = from, .end = to, .zeroes = rq->zeroes,
		.iter = dmr_iter_at(rq, from, to - from),
	};

	*done = to;
	if (!dmr_may_remap(d) || dmr_move_unit(d, start, DMR_REASON_WRITE, &over,
					       bad_spare ? start : 0, bad_spare ? end : 0))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

/* [start, run->end) has its new data where it lies; of LOST sectors that is news. */
static blk_status_t dmr_wrote(struct dmr_device *d, const struct dmr_run *run, u64 start)
{
	if (run->kind != DMR_RUN_MAIN)
		atomic_long_inc(&d->spare[run->spare_index].flushes.written);
	if (run->kind == DMR_RUN_LOST && dmr_heal(d, run, start))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

/* One block, in the place it has now; elsewhere if that place fails. */
static blk_status_t dmr_write_block(struct dmr_device *d, struct dmr_request *rq, u64 sector,
				    u64 *done)
{
	u64 end = min(sector + d->block_sectors, rq->end);
	struct dmr_run run = dmr_table_run(dmr_view(d), sector, end);
	blk_status_t status;
	bool answers;

	*done = end;
	if (!dmr_run_device(d, &run) || (run.kind != DMR_RUN_MAIN && !d->spare[run.spare_index].alive))
		return dmr_write_elsewhere(d, rq, sector, end, false, done);
	status = dmr_do_piece(d, rq, sector, end, &run);
	if (!status)
		return dmr_wrote(d, &run, sector);
	dmr_count_error(d, true, &run, sector);
	answers = dmr_run_answers(d, &run);
	if (run.kind == DMR_RUN_MAIN && (!answers || !dmr_is_of_medium(status)))
		return BLK_STS_IOERR;
	/* Of a spare that is gone no sector went bad. */
	return dmr_write_elsewhere(d, rq, sector, end, answers && run.kind != DMR_RUN_MAIN, done);
}

static blk_status_t dmr_write_run(struct dmr_device *d, struct dmr_request *rq, u64 start,
				  const struct dmr_run *run)
{
	u64 sector = start, done;

	if (run->kind == DMR_RUN_LOST && !dmr_may_commit_now(d))
		return BLK_STS_IOERR;
	if (dmr_run_device(d, run) &&
	    (run->kind == DMR_RUN_MAIN || d->spare[run->spare_index].alive) &&
	    !dmr_do_piece(d, rq, start, run->end, run)) {
		d->stats.retried_writes++;
		rq->again |= dmr_run_number(run) == dmr_io_of(rq->bio)->spare;
		return dmr_wrote(d, run, start);
	}
	while (sector < run->end) {
		blk_status_t status = dmr_write_block(d, rq, sector, &done);

		/* What failed stays failed: the rest of the request is no one's gain. */
		if (status)
			return status;
		sector = done;
	}
	return BLK_STS_OK;
}

/*
 * A write with FUA: its flushes. If it failed before and nothing of it does now, it was
 * the flush that failed, and with it may have gone what others had written.
 */
static blk_status_t dmr_finish_fua(struct dmr_device *d, struct dmr_request *rq)
{
	struct dmr_io *io = dmr_io_of(rq->bio);
	blk_status_t status = BLK_STS_OK;
	unsigned int device;

	if (io->failed && rq->again && !rq->failed && (rq->to_flush & BIT(io->spare))) {
		io->failed = false;	/* should it be done once more: told is told */
		dmr_owe_flush_error(d, io->spare);
	}
	for (device = 0; device <= d->spares; device++)
		if ((rq->to_flush & BIT(device)) && dmr_flush_own(d, device))
			status = BLK_STS_IOERR;
	return status;
}

static blk_status_t dmr_do_request(struct dmr_device *d, struct bio *bio)
{
	struct dmr_request rq = dmr_request_of(d, bio);
	bool write = op_is_write(bio_op(bio));
	blk_status_t worst = BLK_STS_OK;
	u64 sector = rq.start;

	if (rq.start == rq.end)
		/* A flush that ended while the worker's was under way. */
		return dmr_flush_outcome(d, dmr_io_of(bio));
	if (bio_op(bio) == REQ_OP_DISCARD)
		return BLK_STS_OK;	/* a hint, and it came at a bad time */
	if (write && (!d->writable ||
		      (dmr_touches_hold(d, rq.start, rq.end) && !dmr_settle_doubt(d))))
		return BLK_STS_IOERR;
	while (sector < rq.end) {
		/* In pieces, so that one bad block does not make all of a huge request slow. */
		u64 end = min(rq.end, sector + DMR_PIECE_SECTORS);
		struct dmr_run run = dmr_table_run(dmr_view(d), sector, end);
		blk_status_t status = write ? dmr_write_run(d, &rq, sector, &run) :
					      dmr_read_run(d, &rq, sector, &run);

		if (status) {
			worst = status;
			if (write)
				break;
		}
		sector = run.end;
	}
	return worst ?: dmr_finish_fua(d, &rq);
}

/* -- batches ---------------------------------------------------------------- */

/*
 * Commits the draft, with what is to be told of it. -EAGAIN: a spare was given up
 * before anything was written, and another may have room: all that stood on the
 * draft has to be done again. Comes back at most once for each spare.
 */
static int dmr_commit_batch(struct dmr_device *d)
{
	int r = dmr_commit(d, dmr_view(d), DMR_STATE_ACTIVE);

	if (r)
		dmr_drop_change(d);
	else if (d->change)
		dmr_publish_change(d);
	d->wants_commit = false;
	return r;
}

/*
 * May the request be answered as it went, though the commit it waited for failed?
 * Not if what it did may lie where the draft said, which is no more: in a held
 * range, or in sectors that without the draft are LOST.
 */
static bool dmr_stands_alone(struct dmr_device *d, struct bio *bio)
{
	struct dmr_request rq = dmr_request_of(d, bio);
	u64 sector = rq.start;

	if (dmr_touches_hold(d, rq.start, rq.end))
		return false;
	while (sector < rq.end) {
		struct dmr_run run = dmr_table_run(dmr_live_table(d), sector, rq.end);

		if (run.kind == DMR_RUN_LOST)
			return false;
		sector = run.end;
	}
	return true;
}

/*
 * Makes the draft durable, then true for everyone; only then is anyone told.
 * Returns what dmr_commit_batch() does, 0 if there was nothing to commit.
 */
int dmr_end_batch(struct dmr_device *d)
{
	struct bio *bio;
	int r = 0;

	if (d->change || d->wants_commit)
		r = dmr_commit_batch(d);
	if (r == -EAGAIN) {
		if (!d->doubt)
			dmr_release_holds(d);
		spin_lock_irq(&d->lock);
		bio_list_merge_head(&d->bios, &d->waiting);
		spin_unlock_irq(&d->lock);
		bio_list_init(&d->waiting);
		return r;
	}
	for (bio = d->waiting.head; bio; bio = bio->bi_next)
		if (r && !dmr_stands_alone(d, bio))
			bio->bi_status = BLK_STS_IOERR;
	if (!d->doubt)
		dmr_release_holds(d);
	while ((bio = bio_list_pop(&d->waiting)))
		dmr_finish(bio, bio->bi_status);
	if (d->news) {
		d->news = false;
		dm_table_event(d->ti->table);
	}
	return r;
}

/* Not endlessly, even if requests come faster than they can be dealt with: jobs wait too. */
static void dmr_do_bios(struct dmr_device *d)
{
	unsigned int n = 0;
	struct bio *bio;

	/* In doubt, holds of an earlier batch may still be there; then none are added. */
	while (n++ < DMR_BATCH && (d->doubt || d->holds < DMR_MANY_HOLDS) &&
	       (bio = dmr_next_bio(d))) {
		bio->bi_status = dmr_do_request(d, bio);
		/* From the first change on, what was done may stand on what is not durable yet. */
		if (d->change)
			bio_list_add(&d->waiting, bio);
		else
			dmr_finish(bio, bio->bi_status);
	}
	dmr_end_batch(d);
}

static void dmr_do_job(struct dmr_device *d)
{
	struct dmr_job *job;
	int r;

	spin_lock_irq(&d->lock);
	job = list_first_entry_or_null(&d->jobs, struct dmr_job, list);
	if (job)
		list_del(&job->list);
	spin_unlock_irq(&d->lock);
	if (!job)
		return;
	job->result = job->run(d, job);
	r = dmr_end_batch(d);
	if (r && job->result >= 0 && job->undo)
		job->undo(d, job);
	if (!r)
		job->committed = job->next;
	if (r == -EAGAIN || (!r && job->result == DMR_JOB_GOES_ON)) {
		/* Requests that came meanwhile go first. */
		spin_lock_irq(&d->lock);
		list_add_tail(&job->list, &d->jobs);
		spin_unlock_irq(&d->lock);
		return;
	}
	if (r)
		job->result = r;
	complete(&job->done);
}

static bool dmr_is_idle(struct dmr_device *d)
{
	bool idle;

	spin_lock_irq(&d->lock);
	idle = bio_list_empty(&d->bios) && list_empty(&d->jobs);
	spin_unlock_irq(&d->lock);
	return idle;
}

/*
 * Dead copies get another try after a pause, and after all that waited for I/O was
 * answered (FORMAT.md section 6). Not once the device is being stopped.
 */
void dmr_arm_revive(struct dmr_device *d)
{
	if (d->mode == DMR_MODE_RO || d->mode == DMR_MODE_TAKEN || !dmr_has_dead_copies(d))
		return;
	spin_lock_irq(&d->lock);
	if (d->active)
		queue_delayed_work(d->wq, &d->revive, DMR_DEAD_COPY_PAUSE);
	spin_unlock_irq(&d->lock);
}

void dmr_work(struct work_struct *work)
{
	struct dmr_device *d = container_of(work, struct dmr_device, work);
	unsigned int noio = memalloc_noio_save();

	while (!dmr_is_idle(d)) {
		dmr_do_bios(d);
		dmr_do_job(d);
		cond_resched();
	}
	memalloc_noio_restore(noio);
	dmr_arm_revive(d);
}

void dmr_revive(struct work_struct *work)
{
	struct dmr_device *d = container_of(to_delayed_work(work), struct dmr_device, revive);
	unsigned int noio = memalloc_noio_save();

	if (READ_ONCE(d->active)) {
		dmr_revive_copies(d);
		dmr_end_batch(d);
	}
	memalloc_noio_restore(noio);
	dmr_arm_revive(d);
}

/* Waits until the worker has done the job. -ENODEV if the device is not active. */
int dmr_job_run(struct dmr_device *d, struct dmr_job *job)
{
	bool active;

	init_completion(&job->done);
	spin_lock_irq(&d->lock);
	active = d->active;
	if (active) {
		list_add_tail(&job->list, &d->jobs);
		queue_work(d->wq, &d->work);
	}
	spin_unlock_irq(&d->lock);
	if (!active)
		return -ENODEV;
	if (wait_for_completion_killable(&job->done)) {
		/* The worker has the job: it ends with the part that is under way. */
		WRITE_ONCE(job->cancelled, true);
		wait_for_completion(&job->done);
	}
	return job->result;
}
