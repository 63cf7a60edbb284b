// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single reads and writes of data, waited for. Only the worker and the hooks
 * come here. What to read or write is decided elsewhere.
 */
#include "dmr-core.h"

/*
 * @sectors at byte @offset of @page, to or from @sector of @bdev. Returns 0 or a
 * negative errno.
 */
int dmr_rw_page(struct block_device *bdev, u64 sector, blk_opf_t opf, struct page *page,
		unsigned int offset, unsigned int sectors)
{
	struct bio_vec vec;
	struct bio bio;
	int r;

	bio_init(&bio, bdev, &vec, 1, opf);
	bio.bi_iter.bi_sector = sector;
	__bio_add_page(&bio, page, sectors << SECTOR_SHIFT, offset);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

/*
 * What @iter covers of @bio, done again at @sector of @bdev, with a bio of our
 * own: the one that came from dm has been ended once and must not be sent again.
 * @fua: REQ_FUA or 0.
 */
blk_status_t dmr_rw_bio(struct dmr_device *d, struct bio *bio, struct bvec_iter iter,
			struct block_device *bdev, u64 sector, blk_opf_t fua)
{
	/* The pool is ours and this is its only user, one at a time: no failure. */
	struct bio *clone = bio_alloc_clone(bdev, bio, GFP_NOIO, &d->bios_own);
	blk_status_t status;

	/*
	 * The clone inherits that it was remapped to the partition's disk, if it
	 * was, and would then go to that sector of the whole disk.
	 */
	bio_set_dev(clone, bdev);
	clone->bi_opf = bio_op(bio) | (bio->bi_opf & (REQ_SYNC | REQ_META | REQ_PRIO)) | fua;
	clone->bi_iter = iter;
	clone->bi_iter.bi_sector = sector;
	submit_bio_wait(clone);
	status = clone->bi_status;
	bio_put(clone);
	return status;
}

/*
 * Zeroes, by the device's own command where it has one. No bio_set: the one
 * that blkdev_issue_zeroout() takes from may be waiting for us.
 */
int dmr_zero(struct block_device *bdev, u64 sector, u64 sectors, blk_opf_t flags)
{
	int r = -EOPNOTSUPP;
	struct bio bio;

	if (sectors <= bdev_write_zeroes_sectors(bdev)) {
		bio_init(&bio, bdev, NULL, 0, REQ_OP_WRITE_ZEROES | flags);
		bio.bi_iter.bi_sector = sector;
		bio.bi_iter.bi_size = sectors << SECTOR_SHIFT;
		r = submit_bio_wait(&bio);
		bio_uninit(&bio);
	}
	if (r != -EOPNOTSUPP)
		return r;
	for (r = 0; !r && sectors; ) {
		unsigned int n = min_t(u64, sectors, PAGE_SECTORS);

		r = dmr_rw_page(bdev, sector, REQ_OP_WRITE | (flags & ~REQ_NOUNMAP), ZERO_PAGE(0),
				0, n);
		sector += n;
		sectors -= n;
	}
	return r;
}

/* @bytes of the data that begin @skip bytes after @iter. */
void dmr_copy_from_bio(struct bio *bio, struct bvec_iter iter, u32 skip, void *to, u32 bytes)
{
	if (skip)
		bio_advance_iter(bio, &iter, skip);
	while (bytes) {
		struct bio_vec v = bio_iter_iovec(bio, iter);
		u32 n = min(bytes, v.bv_len);
		void *from = bvec_kmap_local(&v);

		memcpy(to, from, n);
		kunmap_local(from);
		to += n;
		bytes -= n;
		bio_advance_iter_single(bio, &iter, n);
	}
}
