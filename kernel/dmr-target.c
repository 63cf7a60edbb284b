// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target as device-mapper sees it: the table's arguments, the hooks around
 * suspend and resume, limits, and the module. What a request meets is in
 * dmr-io.c; status and messages are in dmr-message.c.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uuid.h>
#include <linux/vmalloc.h>

#include "dmr-core.h"

/* The filter is as fine as this much memory allows, but not finer than 1 MiB of main a bit. */
#define DMR_FILTER_MAX_BITS (1u << 23)
#define DMR_FILTER_MIN_SHIFT 11

/* -- memory ----------------------------------------------------------------- */

static void dmr_free(struct dmr_device *d)
{
	unsigned int i;

	dmr_registry_release(d);
	cancel_delayed_work_sync(&d->revive);
	if (d->wq)
		destroy_workqueue(d->wq);
	if (d->io)
		dm_io_client_destroy(d->io);
	bioset_exit(&d->bios_own);
	cleanup_srcu_struct(&d->writes);
	if (d->unit_page)
		__free_page(d->unit_page);
	if (d->probe_page)
		__free_page(d->probe_page);
	vfree(d->header_block);
	vfree(d->scratch);
	vfree(d->next_image);
	vfree(d->image);
	kvfree(d->load_room);
	kvfree(d->gen);
	kvfree(d->allocator);
	vfree(d->buffer[1]);
	vfree(d->buffer[0]);
	kvfree(d->filter);
	for (i = 0; i < d->spares; i++)
		if (d->spare[i].dev)
			dm_put_device(d->ti, d->spare[i].dev);
	if (d->main)
		dm_put_device(d->ti, d->main);
	kvfree(d);
}

/* All that the error path will ever touch: it may run when there is no memory left. */
static int dmr_allocate_all(struct dmr_device *d)
{
	d->filter_shift = DMR_FILTER_MIN_SHIFT;
	while (d->ti->len >> d->filter_shift >= DMR_FILTER_MAX_BITS)
		d->filter_shift++;
	d->filter_bits = (d->ti->len >> d->filter_shift) + 1;
	d->filter = kvcalloc(BITS_TO_LONGS(d->filter_bits), sizeof(long), GFP_KERNEL);
	d->buffer[0] = vzalloc(sizeof(*d->buffer[0]));
	d->buffer[1] = vzalloc(sizeof(*d->buffer[1]));
	d->allocator = kvzalloc(sizeof(*d->allocator), GFP_KERNEL);
	d->gen = kvzalloc(sizeof(*d->gen), GFP_KERNEL);
	d->load_room = kvzalloc(sizeof(*d->load_room), GFP_KERNEL);
	d->image = vzalloc(DMR_SLOT_BYTES);
	d->next_image = vzalloc(DMR_SLOT_BYTES);
	d->scratch = vzalloc(DMR_SLOT_BYTES);
	d->header_block = vzalloc(DMR_BLOCK);
	d->unit_page = alloc_page(GFP_KERNEL);
	d->probe_page = alloc_page(GFP_KERNEL);
	if (!d->filter || !d->buffer[0] || !d->buffer[1] || !d->allocator || !d->gen ||
	    !d->load_room || !d->image || !d->next_image || !d->scratch || !d->header_block ||
	    !d->unit_page || !d->probe_page || bioset_init(&d->bios_own, 4, 0, 0))
		return -ENOMEM;
	d->io = dm_io_client_create();
	if (IS_ERR(d->io)) {
		d->io = NULL;
		return -ENOMEM;
	}
	d->wq = alloc_ordered_workqueue("dm-remap", WQ_MEM_RECLAIM);
	return d->wq ? 0 : -ENOMEM;
}

static struct dmr_device *dmr_new(struct dm_target *ti)
{
	struct dmr_device *d = kvzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	if (init_srcu_struct(&d->writes)) {
		kvfree(d);
		return NULL;
	}
	d->ti = ti;
	seqlock_init(&d->hold_lock);
	spin_lock_init(&d->lock);
	bio_list_init(&d->bios);
	bio_list_init(&d->waiting);
	INIT_LIST_HEAD(&d->jobs);
	INIT_LIST_HEAD(&d->registered);
	INIT_WORK(&d->work, dmr_work);
	INIT_DELAYED_WORK(&d->revive, dmr_revive);
	return d;
}

/* -- the table's arguments -------------------------------------------------- */

static int dmr_parse_features(struct dmr_device *d, struct dm_arg_set *as)
{
	static const struct dm_arg count_arg[] = { { 0, 5, "Invalid number of features" } };
	struct dm_target *ti = d->ti;
	unsigned int count;
	uuid_t uuid;
	int r;

	if (!as->argc)
		return 0;
	r = dm_read_arg_group(count_arg, as, &count, &ti->error);
	if (r)
		return r;
	while (count) {
		const char *name = dm_shift_arg(as);

		count--;
		if (!strcasecmp(name, "read_only")) {
			d->features.read_only = true;
		} else if (!strcasecmp(name, "degraded")) {
			d->features.degraded = true;
		} else if (!strcasecmp(name, "no_auto_remap")) {
			d->features.no_auto_remap = true;
		} else if (!strcasecmp(name, "setup") && count) {
			if (uuid_parse(dm_shift_arg(as), &uuid)) {
				ti->error = "Invalid uuid after setup";
				return -EINVAL;
			}
			export_uuid(d->features.setup_uuid, &uuid);
			d->features.has_setup = true;
			count--;
		} else {
			ti->error = "Unknown feature, or setup without a uuid";
			return -EINVAL;
		}
	}
	if (as->argc) {
		ti->error = "Arguments after the features";
		return -EINVAL;
	}
	return 0;
}

static int dmr_check_device(struct dm_target *ti, struct dm_dev *dev)
{
	unsigned int block = bdev_logical_block_size(dev->bdev);

	if (bdev_is_zoned(dev->bdev)) {
		ti->error = "Zoned devices can't be remapped";
		return -EINVAL;
	}
	if (block != SECTOR_SIZE && block != DMR_BLOCK) {
		ti->error = "Logical blocks must be of 512 or 4096 bytes";
		return -EINVAL;
	}
	return 0;
}

static int dmr_get_main(struct dmr_device *d, struct dm_arg_set *as)
{
	struct dm_target *ti = d->ti;
	const char *path = dm_shift_arg(as), *start = dm_shift_arg(as);
	int r;

	if (kstrtoull(start, 10, &d->main_start)) {
		ti->error = "Invalid start sector of the main device";
		return -EINVAL;
	}
	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &d->main);
	if (r) {
		d->main = NULL;
		ti->error = "Main device can't be opened";
		return r;
	}
	d->main_bdev = d->main->bdev;
	if (d->main_start > bdev_nr_sectors(d->main_bdev) ||
	    ti->len > bdev_nr_sectors(d->main_bdev) - d->main_start) {
		ti->error = "Main device is too small";
		return -EINVAL;
	}
	d->main_end = d->main_start + ti->len;
	return dmr_check_device(ti, d->main);
}

static int dmr_get_spare(struct dmr_device *d, unsigned int i, const char *path, bool *missing)
{
	struct dm_target *ti = d->ti;
	unsigned int other;
	int r;

	if (!strcmp(path, "-")) {
		*missing = true;
		return 0;
	}
	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &d->spare[i].dev);
	if (r) {
		d->spare[i].dev = NULL;
		ti->error = "Spare device can't be opened";
		return r;
	}
	if (bdev_nr_sectors(d->spare[i].dev->bdev) < DMR_MIN_SPARE_SECTORS) {
		ti->error = "Spare device is smaller than 8 MiB";
		return -EINVAL;
	}
	if (dmr_bdevs_overlap(d->main_bdev, d->spare[i].dev->bdev)) {
		ti->error = "Main and a spare are the same device, or overlap";
		return -EINVAL;
	}
	for (other = 0; other < i; other++) {
		if (d->spare[other].dev &&
		    dmr_bdevs_overlap(d->spare[other].dev->bdev, d->spare[i].dev->bdev)) {
			ti->error = "Two spares are the same device, or overlap";
			return -EINVAL;
		}
	}
	return dmr_check_device(ti, d->spare[i].dev);
}

/* The block layer itself would let writes to such a device pass, with a warning. */
static bool dmr_any_read_only(const struct dmr_device *d)
{
	unsigned int i;

	for (i = 0; i < d->spares; i++)
		if (d->spare[i].dev && bdev_read_only(d->spare[i].dev->bdev))
			return true;
	return bdev_read_only(d->main_bdev);
}

static int dmr_parse(struct dmr_device *d, struct dm_arg_set *as)
{
	static const struct dm_arg spares_arg[] = { { 1, DMR_MAX_SPARES, "Invalid number of spares" } };
	struct dm_target *ti = d->ti;
	bool missing = false;
	unsigned int i;
	int r;

	if (as->argc < 4) {
		ti->error = "Usage: <main> <main_start> <#spares> <spare>... [<#features> <feature>...]";
		return -EINVAL;
	}
	if (ti->begin) {
		ti->error = "The target must begin at sector 0";
		return -EINVAL;
	}
	r = dmr_get_main(d, as);
	if (r)
		return r;
	r = dm_read_arg(spares_arg, as, &d->spares, &ti->error);
	if (r) {
		d->spares = 0;
		return r;
	}
	if (as->argc < d->spares) {
		ti->error = "Fewer spares than their number says";
		return -EINVAL;
	}
	for (i = 0; i < d->spares; i++) {
		r = dmr_get_spare(d, i, dm_shift_arg(as), &missing);
		if (r)
			return r;
	}
	r = dmr_parse_features(d, as);
	if (r)
		return r;
	if (!(dm_table_get_mode(ti->table) & DMR_OPEN_WRITE))
		d->features.read_only = true;
	if (!d->features.read_only && dmr_any_read_only(d)) {
		ti->error = "A device is read-only; the feature read_only goes without writing";
		return -EROFS;
	}
	if (missing && !d->features.degraded) {
		ti->error = "A missing spare (\"-\") needs the feature degraded";
		return -EINVAL;
	}
	return 0;
}

/*
 * Opens devices and gets memory, no more: on a reload the old table is still in
 * use, and what the spares say now is not what they will say at resume.
 */
static int dmr_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct dmr_device *d = dmr_new(ti);
	int r;

	if (!d) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	r = dmr_parse(d, &as);
	if (!r) {
		r = dmr_allocate_all(d);
		if (r)
			ti->error = "Out of memory";
	}
	if (r) {
		dmr_free(d);
		return r;
	}
	ti->private = d;
	ti->per_io_data_size = sizeof(struct dmr_io);
	ti->num_flush_bios = 1 + d->spares;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	/* dm asks all devices; the spares' opinion does not matter. */
	ti->discards_supported = bdev_max_discard_sectors(d->main_bdev) > 0;
	return 0;
}

/* Never writes: on a reload the new table has been resumed already. */
static void dmr_dtr(struct dm_target *ti)
{
	dmr_free(ti->private);
}

/* -- hooks ------------------------------------------------------------------ */

static int dmr_activate(struct dmr_device *d)
{
	int r;

	if (d->mode != DMR_MODE_RW)
		return 0;
	dmr_event(d, DMR_EVENT_ACTIVATED, 0, 0, 0, 0);
	/* FORMAT.md section 6: one commit before the first write passes. */
	r = dmr_commit(d, dmr_live_table(d), DMR_STATE_ACTIVE);
	if (!r)
		return 0;
	DMERR("%s: %s; the feature \"read_only\" goes without a commit",
	      dm_table_device_name(d->ti->table),
	      r == -ENOSPC ? "there is no room for the metadata" :
			     "too few copies of the metadata can be written");
	return -EIO;
}

static void dmr_deactivate(struct dmr_device *d)
{
	int r;

	if (d->mode != DMR_MODE_RW && d->mode != DMR_MODE_FAIL)
		return;
	dmr_event(d, DMR_EVENT_DEACTIVATED, 0, 0, 0, 0);
	do {
		r = dmr_commit(d, dmr_live_table(d), 0);
	} while (r == -EAGAIN);
	if (r)
		DMWARN("%s: the clean stop could not be recorded",
		       dm_table_device_name(d->ti->table));
}

/* Loads and activates. Nothing is in flight, and nothing was written before dmr_activate(). */
static int dmr_start(struct dmr_device *d)
{
	int r;

	d->change = NULL;
	d->holds = 0;
	d->unflushed_data = 0;
	d->lates = 0;
	d->committing = false;
	d->stopping = false;
	d->probe_sector = d->main_start;
	r = dmr_registry_claim(d);
	if (r)
		return r;
	r = dmr_load(d);
	if (!r)
		r = dmr_registry_claim_setup(d);
	if (!r)
		r = dmr_activate(d);
	if (r)
		dmr_registry_release(d);
	return r;
}

static int dmr_preresume(struct dm_target *ti)
{
	struct dmr_device *d = ti->private;
	/* Memory must not be freed by writing to this very device: it does not answer yet. */
	unsigned int noio = memalloc_noio_save();
	int r = dmr_start(d);

	memalloc_noio_restore(noio);
	if (r)
		return r;
	WRITE_ONCE(d->writable, d->mode == DMR_MODE_RW);
	spin_lock_irq(&d->lock);
	d->active = true;
	spin_unlock_irq(&d->lock);
	dmr_arm_revive(d);
	if (d->news) {
		d->news = false;
		dm_table_event(ti->table);
	}
	return 0;
}

/* dm keeps all requests back until messages are answered, from now on. */
static void dmr_presuspend(struct dm_target *ti)
{
	struct dmr_device *d = ti->private;

	WRITE_ONCE(d->stopping, true);
}

static void dmr_presuspend_undo(struct dm_target *ti)
{
	struct dmr_device *d = ti->private;

	WRITE_ONCE(d->stopping, false);
}

/* No request is in flight any more; jobs of messages and the minute's work may be. */
static void dmr_postsuspend(struct dm_target *ti)
{
	struct dmr_device *d = ti->private;
	unsigned int noio;

	spin_lock_irq(&d->lock);
	if (!d->active) {
		spin_unlock_irq(&d->lock);
		return;
	}
	d->active = false;
	spin_unlock_irq(&d->lock);
	flush_work(&d->work);
	cancel_delayed_work_sync(&d->revive);
	WRITE_ONCE(d->writable, false);
	noio = memalloc_noio_save();
	dmr_deactivate(d);
	memalloc_noio_restore(noio);
	dmr_registry_release(d);
}

static int dmr_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct dmr_device *d = ti->private;
	unsigned int i;
	int r = fn(ti, d->main, d->main_start, ti->len, data);

	for (i = 0; !r && i < d->spares; i++) {
		struct dm_dev *dev = d->spare[i].dev;

		if (dev)
			r = fn(ti, dev, 0, round_down(bdev_nr_sectors(dev->bdev), DMR_BLOCK_SECTORS),
			       data);
	}
	return r;
}

static struct target_type dmr_target = {
	.name = "remap",
	.version = { 4, 0, 0 },
	/* Alone in its table: else another target's failed resume would leave ours half up. */
	.features = DM_TARGET_NOWAIT | DM_TARGET_SINGLETON,
	.module = THIS_MODULE,
	.ctr = dmr_ctr,
	.dtr = dmr_dtr,
	.map = dmr_map,
	.end_io = dmr_end_io,
	.preresume = dmr_preresume,
	.presuspend = dmr_presuspend,
	.presuspend_undo = dmr_presuspend_undo,
	.postsuspend = dmr_postsuspend,
	.status = dmr_status,
	.message = dmr_message,
	.iterate_devices = dmr_iterate_devices,
};

static int __init dmr_init(void)
{
	return dm_register_target(&dmr_target);
}

static void __exit dmr_exit(void)
{
	dm_unregister_target(&dmr_target);
}

module_init(dmr_init);
module_exit(dmr_exit);

MODULE_DESCRIPTION("device-mapper target that redirects bad sectors to spare devices");
MODULE_AUTHOR("dm-remap maintainers");
MODULE_LICENSE("GPL");
MODULE_ALIAS("dm-remap");
