// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flushes: everyone's, which reach every device, and the worker's own; and who hears
 * of it when one fails. See struct dmr_flushes.
 */
#include "dmr-core.h"

static struct dmr_flushes *dmr_flushes_of(struct dmr_device *d, unsigned int device)
{
	return device ? &d->spare[device - 1].flushes : &d->main_flushes;
}

static struct block_device *dmr_bdev_of(struct dmr_device *d, unsigned int device)
{
	struct dm_dev *dev = device ? d->spare[device - 1].dev : d->main;

	return dev ? dev->bdev : NULL;
}

static bool dmr_is_given_up(const struct dmr_device *d, unsigned int device)
{
	return device && !READ_ONCE(d->spare[device - 1].alive);
}

/* A flush that began when so much was written went well, or its failure was told. */
static void dmr_count_flushed(struct dmr_flushes *f, unsigned long written)
{
	unsigned long flushed = READ_ONCE(f->flushed);

	while ((long)(written - flushed) > 0 && !try_cmpxchg(&f->flushed, &flushed, written))
		;
}

/* -- everyone's ------------------------------------------------------------- */

/*
 * One empty flush per device. A spare that is given up no longer counts, unless
 * something was written to it that no flush has reached: then "flushed" would
 * be a lie.
 */
int dmr_map_flush(struct dmr_device *d, struct bio *bio, struct dmr_io *io)
{
	unsigned int device = dm_bio_get_target_bio_nr(bio);
	struct dmr_flushes *f = dmr_flushes_of(d, device);
	unsigned long written = atomic_long_read(&f->written);
	unsigned int failures = READ_ONCE(f->failures);

	if (unlikely(READ_ONCE(f->told) != failures)) {
		WRITE_ONCE(f->told, failures);
		/* Told once, as a device does, whatever the reason. */
		if (dmr_is_given_up(d, device))
			dmr_count_flushed(f, written);
		return DM_MAPIO_KILL;
	}
	if (!dmr_bdev_of(d, device) ||
	    (dmr_is_given_up(d, device) && written == READ_ONCE(f->flushed))) {
		io->state = DMR_IO_FINISHED;
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	io->spare = device;
	io->at.failures = failures;
	io->at.written = written;
	bio_set_dev(bio, dmr_bdev_of(d, device));
	return DM_MAPIO_REMAPPED;
}

/* What a flush that went well is to be told: did one of the worker's fail meanwhile? */
blk_status_t dmr_flush_outcome(struct dmr_device *d, struct dmr_io *io)
{
	struct dmr_flushes *f = dmr_flushes_of(d, io->spare);
	unsigned int failures = READ_ONCE(f->failures);

	dmr_count_flushed(f, io->at.written);
	if (likely(failures == io->at.failures))
		return BLK_STS_OK;
	WRITE_ONCE(f->told, failures);
	return BLK_STS_IOERR;
}

int dmr_end_flush(struct dmr_device *d, struct bio *bio, struct dmr_io *io, blk_status_t *error)
{
	struct dmr_flushes *f = dmr_flushes_of(d, io->spare);

	if (io->state == DMR_IO_FINISHED)
		return DM_ENDIO_DONE;
	if (*error) {
		WRITE_ONCE(d->stats.flush_errors, d->stats.flush_errors + 1);
		/* Else each flush would fail that comes after. */
		if (dmr_is_given_up(d, io->spare))
			dmr_count_flushed(f, io->at.written);
		return DM_ENDIO_DONE;
	}
	/* Pairs with dmr_flush_own(). */
	if (unlikely(smp_load_acquire(&f->running))) {
		dmr_queue_bio(d, bio);
		return DM_ENDIO_INCOMPLETE;
	}
	*error = dmr_flush_outcome(d, io);
	return DM_ENDIO_DONE;
}

/* -- the worker's ----------------------------------------------------------- */

void dmr_owe_flush_error(struct dmr_device *d, unsigned int device)
{
	struct dmr_flushes *f = dmr_flushes_of(d, device);

	WRITE_ONCE(f->failures, f->failures + 1);
}

/*
 * Waits for a flush of a device that is there. If it fails, and anything that was
 * acknowledged may have been lost by that, the error is owed.
 */
int dmr_flush_own(struct dmr_device *d, unsigned int device)
{
	struct dmr_flushes *f = dmr_flushes_of(d, device);
	unsigned long written = atomic_long_read(&f->written);
	int r;

	WRITE_ONCE(f->running, true);
	/* Pairs with dmr_end_flush(): whoever the device answers after it failed sees `running`. */
	smp_mb();
	r = blkdev_issue_flush(dmr_bdev_of(d, device));
	if (!r) {
		dmr_count_flushed(f, written);
	} else {
		/* Writes that the device has finished are counted when this returns. */
		synchronize_srcu_expedited(&d->writes);
		if (!device || atomic_long_read(&f->written) != READ_ONCE(f->flushed))
			dmr_owe_flush_error(d, device);
	}
	/* Pairs with dmr_end_flush(): whoever no longer sees it sees `failures`. */
	smp_store_release(&f->running, false);
	return r;
}

/* Does the block layer make a write with FUA of a write and a flush? One can't tell which failed. */
bool dmr_makes_fua_of_flush(struct block_device *bdev)
{
	return bdev_write_cache(bdev) && !bdev_fua(bdev);
}
