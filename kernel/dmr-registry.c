// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is active anywhere on this machine: no setup and no device of one may
 * be in two mapped devices at once, for both would commit to the same spares.
 * dm itself allows it: all its tables hold a device under one claim.
 */
#include <linux/mutex.h>
#include <linux/uuid.h>

#include "dmr-core.h"

static DEFINE_MUTEX(dmr_registry_lock);
static LIST_HEAD(dmr_registry);

bool dmr_bdevs_overlap(struct block_device *a, struct block_device *b)
{
	sector_t a_start = get_start_sect(a), b_start = get_start_sect(b);

	return a->bd_disk == b->bd_disk && a_start < b_start + bdev_nr_sectors(b) &&
	       b_start < a_start + bdev_nr_sectors(a);
}

static bool dmr_uses(struct dmr_device *d, struct block_device *bdev)
{
	unsigned int i;

	if (dmr_bdevs_overlap(d->main_bdev, bdev))
		return true;
	for (i = 0; i < d->spares; i++)
		if (d->spare[i].dev && dmr_bdevs_overlap(d->spare[i].dev->bdev, bdev))
			return true;
	return false;
}

/* A spare, or main, that two devices have; NULL if there is none. */
static const char *dmr_shared(struct dmr_device *a, struct dmr_device *b)
{
	unsigned int i;

	if (dmr_uses(a, b->main_bdev))
		return b->main->name;
	for (i = 0; i < b->spares; i++)
		if (b->spare[i].dev && dmr_uses(a, b->spare[i].dev->bdev))
			return b->spare[i].dev->name;
	return NULL;
}

/*
 * Before anything is read: what another device commits to now must not be
 * loaded. -EBUSY, after a message that names the other device.
 */
int dmr_registry_claim(struct dmr_device *d)
{
	struct dmr_device *other;
	int r = 0;

	mutex_lock(&dmr_registry_lock);
	list_for_each_entry(other, &dmr_registry, registered) {
		const char *shared = other == d ? NULL : dmr_shared(other, d);

		if (!shared)
			continue;
		DMERR("%s: device %s is in use by %s", dm_table_device_name(d->ti->table), shared,
		      dm_table_device_name(other->ti->table));
		r = -EBUSY;
		break;
	}
	d->claimed_setup = false;
	if (!r && list_empty(&d->registered))
		list_add(&d->registered, &dmr_registry);
	mutex_unlock(&dmr_registry_lock);
	return r;
}

/* Once it is known which setup it is: a copy of its disks must not go on beside it. */
int dmr_registry_claim_setup(struct dmr_device *d)
{
	struct dmr_device *other;
	int r = 0;

	mutex_lock(&dmr_registry_lock);
	list_for_each_entry(other, &dmr_registry, registered) {
		if (other == d || !other->claimed_setup ||
		    memcmp(other->gen->h.setup_uuid, d->gen->h.setup_uuid, sizeof(uuid_t)))
			continue;
		DMERR("%s: setup %pUb is active as %s", dm_table_device_name(d->ti->table),
		      d->gen->h.setup_uuid, dm_table_device_name(other->ti->table));
		r = -EBUSY;
		break;
	}
	d->claimed_setup = !r;
	mutex_unlock(&dmr_registry_lock);
	return r;
}

void dmr_registry_release(struct dmr_device *d)
{
	mutex_lock(&dmr_registry_lock);
	list_del_init(&d->registered);
	d->claimed_setup = false;
	mutex_unlock(&dmr_registry_lock);
}
