/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The on-disk format, dm-remap v4 (docs/FORMAT.md): its structures, and how a
 * copy is judged, the winner chosen, a generation decoded and encoded.
 * Implemented in
 *
 *	dmr-judge.c	one slot by itself: header, sections, checksums
 *	dmr-rules.c	what a valid generation must not say (soundness)
 *	dmr-choose.c	all slots of a setup: who wins, what every place is
 *	dmr-encode.c	decoded form and back, headers of single places, events
 *
 * All of it is freestanding: no allocation, no I/O, no locks, no floating
 * point, no frame of more than a few hundred bytes. Nothing here knows what a
 * block device is; reading, writing and the order of writes are elsewhere.
 *
 * Whatever comes from disk is hostile until dmr_judge() has called it valid:
 * the functions below that take an image say which of them need that.
 *
 * Sectors are 512 bytes. A slot is the room of one copy; an image is the bytes
 * of a slot in memory, from its header to slot_bytes.
 */
#ifndef DMR_FORMAT_H
#define DMR_FORMAT_H

#include "dmr-port.h"

/* -- numbers ---------------------------------------------------------------------- */

#define DMR_SECTOR		512u
#define DMR_BLOCK		4096u	/* writes are whole blocks */
#define DMR_COPIES		5u
#define DMR_MAX_SPARES		8u
#define DMR_SLOT_BYTES		524288u	/* room of a slot */
#define DMR_MIN_SLOT_BYTES	24576u
#define DMR_HEADER_BYTES	512u
#define DMR_DIRECTORY		8u	/* entries of the section directory */
#define DMR_METADATA_END	9216u	/* sector: no spare's data begins below it */
#define DMR_MIN_SPARE_SECTORS	16384u
#define DMR_MAX_DEVICES		(1u + DMR_MAX_SPARES)
#define DMR_EVENT_RING		128u
#define DMR_MAX_TUNABLES	32u
#define DMR_MAX_NAME		89u	/* bytes of CONFIG's name */
#define DMR_ENTRIES_PER_BLOCK	127u
#define DMR_MAX_REMAP_BLOCKS	122u
#define DMR_MAX_ENTRIES		15494u
#define DMR_REMAPS_AT		24576u
#define DMR_MAJOR		4u
#define DMR_SEQUENCE_LIMIT	(1ULL << 63)	/* sequences lie in [1, this) */
#define DMR_RETIRED		U64_MAX		/* main_sector of a retired spare extent */
#define DMR_BLOCK_MAGIC		0x34424d52u	/* "RMB4" */

/* First sector of each copy's slot. */
extern const u32 dmr_slot_sector[DMR_COPIES];

/* Header state bits. */
#define DMR_STATE_ACTIVE	1u
#define DMR_STATE_DEGRADED	2u
#define DMR_STATE_MAINTENANCE	4u

/* Section types; all five are listed in every directory, each once. */
enum dmr_section_type {
	DMR_DEVICES = 1,
	DMR_CONFIG = 2,
	DMR_HEALTH = 3,
	DMR_EVENTS = 4,
	DMR_REMAPS = 5,
};

/* Flags of a device record. */
#define DMR_DEVICE_PRIMARY	1u
#define DMR_DEVICE_FAILED	2u
#define DMR_DEVICE_RETIRED	4u

/* CONFIG's spare_policy. */
enum dmr_policy {
	DMR_POLICY_PRIMARY = 0,
	DMR_POLICY_ROUND_ROBIN = 1,
	DMR_POLICY_LEAST_USED = 2,
	DMR_POLICY_HEALTHIEST = 3,
	DMR_POLICIES
};

/* HEALTH's flags. */
#define DMR_HEALTH_SCANNING	1u

/* Flags and reasons of a remap entry. */
#define DMR_ENTRY_LOST		1u
enum dmr_reason {
	DMR_REASON_WRITE = 1,
	DMR_REASON_READ = 2,
	DMR_REASON_MANUAL = 3,
	DMR_REASON_PREDICTIVE = 4,
};

enum dmr_event_kind {
	DMR_EVENT_CREATED = 1,
	DMR_EVENT_ACTIVATED = 2,
	DMR_EVENT_DEACTIVATED = 3,
	DMR_EVENT_REMAPPED = 4,		/* value: spare_sector / 8 */
	DMR_EVENT_READ_ERROR = 5,	/* value: errno */
	DMR_EVENT_WRITE_ERROR = 6,	/* value: errno */
	DMR_EVENT_SLOW = 7,
	DMR_EVENT_COPY_REPAIRED = 8,
	DMR_EVENT_SPARE_FAILED = 9,
	DMR_EVENT_SPARE_ADDED = 10,
	DMR_EVENT_CONFIG_CHANGED = 11,
	DMR_EVENT_SCAN_STARTED = 12,
	DMR_EVENT_SCAN_FINISHED = 13,
	DMR_EVENT_DATA_LOST = 14,
	DMR_EVENT_DATA_REWRITTEN = 15,
};

/* -- on disk ---------------------------------------------------------------------- */

/*
 * Field names, offsets and sizes are those of the field tables in
 * src/core/layout.ts; a test compares them.
 */

struct dmr_disk_section {
	__le32 type;		/* 0: unused */
	__le32 offset;		/* bytes from the start of the slot */
	__le32 length;		/* bytes */
	__le32 record_count;
	__le32 crc;
	__le32 reserved;
} __packed;

struct dmr_disk_header {
	u8 magic[16];
	__le16 format_major;
	__le16 format_minor;
	__le32 header_bytes;
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	__le64 sequence;
	__le64 written_ns;
	__le64 created_ns;
	__le32 parent_crc;
	__le32 state;
	u8 setup_uuid[16];
	u8 spare_uuid[16];	/* per copy */
	u8 copy_index;		/* per copy */
	u8 copy_count;
	u8 spare_index;		/* per copy */
	u8 spare_count;
	__le32 slot_bytes;
	__le64 run_id;
	struct dmr_disk_section directory[DMR_DIRECTORY];
	u8 writer[32];
	u8 reserved[148];
	__le32 overall_crc;
	__le32 header_crc;	/* per copy */
	__le32 tail;		/* always 0: never a boot signature */
} __packed;

struct dmr_disk_device {
	u8 role;
	u8 index;
	__le16 flags;
	__le32 logical_block_size;
	__le32 physical_block_size;
	__le32 reserved0;
	__le64 size_sectors;
	__le64 data_start;
	__le64 data_sectors;
	u8 device_uuid[16];
	u8 fs_uuid[16];
	u8 fs_type[16];
	u8 part_uuid[16];
	u8 wwn[64];
	u8 serial[64];
	u8 model[64];
	u8 path[128];
	u8 content_sha256[32];
	__le32 health_score;
	__le32 reserved1;
	__le64 last_checked_ns;
	__le64 used_sectors;
	__le64 last_sequence;
	__le64 base_sequence;
	__le64 last_run;
	__le32 reserved2;
	__le32 crc;
} __packed;

struct dmr_disk_tunable {
	u8 name[32];
	__le64 value;
} __packed;

struct dmr_disk_config {
	u8 name[128];
	u8 params[512];
	__le64 target_sectors;
	__le32 remap_unit;
	__le32 reserved0;
	__le32 scan_interval_s;
	__le32 scan_chunk_min;
	__le32 scan_chunk_max;
	__le32 slow_io_ms;
	__le32 remap_threshold;
	__le32 alert_threshold;
	u8 auto_remap;
	u8 maintenance_mode;
	u8 spare_policy;
	u8 min_copies;
	__le32 reserved1;
	u8 reassembly_version;
	u8 require_confirmation;
	u8 read_only;
	u8 allow_degraded;
	u8 allow_size_mismatch;
	u8 check_main_size;
	u8 check_spare_size;
	u8 check_fs_uuid;
	__le32 pre_checks;
	__le32 post_checks;
	__le32 tunable_count;
	__le32 reserved2;
	u8 reserved3[56];
	struct dmr_disk_tunable tunables[DMR_MAX_TUNABLES];
	u8 description[128];
	u8 reserved4[1916];
	__le32 crc;
} __packed;

struct dmr_disk_health {
	__le32 score;
	__le32 flags;
	__le64 scan_position;
	__le64 last_full_scan_ns;
	__le64 next_scan_ns;
	__le64 scans_completed;
	__le64 sectors_scanned;
	__le64 read_errors;
	__le64 write_errors;
	__le64 slow_sectors;
	__le64 predictive_remaps;
	__le64 repaired_copies;
	u8 reserved[420];
	__le32 crc;
} __packed;

struct dmr_disk_event {
	__le64 time_ns;
	__le64 sector;
	__le16 kind;
	__le16 device;		/* 0 main, 1 + i spare i */
	__le32 length;
	__le32 value;
	__le32 serial;		/* 0: empty; else it lies at (serial - 1) % 128 */
} __packed;

struct dmr_disk_entry {
	__le64 main_sector;
	__le64 spare_sector;
	__le32 length;
	u8 spare_index;
	u8 reason;
	__le16 flags;
	__le64 created_ns;
} __packed;

struct dmr_disk_trailer {
	__le32 magic;
	__le32 block_index;
	__le32 entry_count;
	__le32 reserved0;
	__le64 sequence;	/* of the commit that last changed the block */
	__le32 reserved1;
	__le32 crc;
} __packed;

struct dmr_disk_block {
	struct dmr_disk_entry entries[DMR_ENTRIES_PER_BLOCK];
	struct dmr_disk_trailer trailer;
} __packed;

static_assert(sizeof(struct dmr_disk_section) == 24);
static_assert(sizeof(struct dmr_disk_header) == 512);
static_assert(offsetof(struct dmr_disk_header, directory) == 0x80);
static_assert(offsetof(struct dmr_disk_header, header_crc) == 0x1f8);
static_assert(sizeof(struct dmr_disk_device) == 512);
static_assert(sizeof(struct dmr_disk_tunable) == 40);
static_assert(sizeof(struct dmr_disk_config) == 4096);
static_assert(offsetof(struct dmr_disk_config, tunables) == 768);
static_assert(offsetof(struct dmr_disk_config, description) == 2048);
static_assert(sizeof(struct dmr_disk_health) == 512);
static_assert(sizeof(struct dmr_disk_event) == 32);
static_assert(sizeof(struct dmr_disk_entry) == 32);
static_assert(sizeof(struct dmr_disk_trailer) == 32);
static_assert(sizeof(struct dmr_disk_block) == 4096);
static_assert(offsetof(struct dmr_disk_block, trailer) == 4064);

/* -- decoded ---------------------------------------------------------------------- */

struct dmr_section {
	u32 type;
	u32 offset;
	u32 length;
	u32 record_count;
	u32 crc;
	u32 reserved;
};

/*
 * A header in the byte order of this machine, and the bytes that it was decoded
 * from.
 */
struct dmr_header {
	u16 format_major;
	u16 format_minor;
	u32 header_bytes;
	u64 compat;
	u64 ro_compat;
	u64 incompat;
	u64 sequence;
	u64 written_ns;
	u64 created_ns;
	u32 parent_crc;
	u32 state;
	u8 setup_uuid[16];
	u8 spare_uuid[16];
	u8 copy_index;
	u8 copy_count;
	u8 spare_index;
	u8 spare_count;
	u32 slot_bytes;
	u64 run_id;
	u32 sections;		/* used directory entries */
	struct dmr_section section[DMR_DIRECTORY];
	u8 writer[32];
	u32 overall_crc;
	u32 header_crc;
	u32 tail;
	u8 raw[DMR_HEADER_BYTES];
};

/*
 * One remap entry. main == DMR_RETIRED: no mapping, the spare extent went bad
 * itself.
 */
struct dmr_entry {
	u64 main;
	u64 spare;
	u32 len;
	u8 spare_index;
	u8 reason;
	u16 flags;
	u64 created_ns;
};

static_assert(sizeof(struct dmr_entry) == 32);

/* -- judging one slot ------------------------------------------------------------- */

enum dmr_header_state {
	DMR_HEADER_UNREAD,	/* could not be read */
	DMR_HEADER_NONE,	/* no magic */
	DMR_HEADER_BAD,		/* magic, but not its checksum */
	/* right checksum, but a major version or incompat feature not known here */
	DMR_HEADER_UNKNOWN,
	/* right checksum, but a field out of range: never valid, and yet evidence */
	DMR_HEADER_ODD,
	DMR_HEADER_GOOD,	/* right checksum, in range */
};

struct dmr_judgement {
	enum dmr_header_state state;
	/*
	 * All four levels of FORMAT.md section 4. False until the whole slot
	 * was judged.
	 */
	bool valid;
	/* The header is good, but not all that it vouches for could be read. */
	bool cut;
	/*
	 * Valid, but breaks a rule of FORMAT.md section 3 or 7. Only
	 * dmr_judge_rules() sets it.
	 */
	bool unsound;
	/*
	 * Not valid: what is wrong. Unsound: which rule is broken. Else NULL.
	 * `where` is the number of the directory entry, device record, event,
	 * block or remap entry meant.
	 */
	const char *why;
	u32 where;
	/* Unsound: what dmremap-fsck calls it ("rule-entry-order"). Else NULL. */
	const char *rule;
	/*
	 * Valid: a hash of the sections' bytes. Equal CRCs do not prove that
	 * two copies are equal.
	 */
	u64 print;
	/* Undefined if state is UNREAD or NONE. */
	struct dmr_header h;
};

/*
 * Judges a header alone: `bytes` bytes at `block` could be read (512 are looked
 * at); block NULL: nothing could. After it j->valid is false; if j->state is
 * GOOD, so many as j->h.slot_bytes bytes are worth reading for dmr_judge().
 */
void dmr_judge_header(const void *block, u32 bytes, struct dmr_judgement *j);

/*
 * Judges a whole slot by all four levels. `bytes` bytes at `slot` could be
 * read, from the header on; less than j->h.slot_bytes: it is cut and not valid.
 * Never looks beyond `bytes`. Takes one pass over the bytes.
 */
void dmr_judge(const void *slot, u32 bytes, struct dmr_judgement *j);

/*
 * Does no section of this GOOD header cover anything of the block at byte `at` of
 * the slot? Then nothing of it matters: FORMAT.md section 1.
 */
bool dmr_is_gap(const struct dmr_header *h, u32 at);

/* Room for sorting the entries; 62 KB, so not on the stack. */
struct dmr_scratch {
	u16 order[2][DMR_MAX_ENTRIES];
};

/*
 * Looks whether a valid image is sound: every rule of FORMAT.md sections 3 and
 * 7. Sets j->unsound, j->rule, j->why and j->where. Only the winner needs it:
 * an unsound copy takes part in the choice like any other. Takes O(n log n) in
 * the number of entries.
 */
void dmr_judge_rules(const void *image, struct dmr_scratch *scratch, struct dmr_judgement *j);

/*
 * True if the header proves that its generation existed: right checksum,
 * possible sequence.
 */
bool dmr_is_evidence(const struct dmr_judgement *j);

/* True if both headers are equal outside the per-copy fields. */
bool dmr_same_header(const struct dmr_header *a, const struct dmr_header *b);

/* Decodes the 512 bytes at `image`; any bytes will do. */
void dmr_decode_header(const void *image, struct dmr_header *h);

/* -- choosing among all slots ----------------------------------------------------- */

/*
 * All that was read, by position in the table: position i is to be spare i of
 * the setup. What is not present has no judgements. Big (over 40 KB): allocate
 * it.
 */
struct dmr_places {
	unsigned int spares;
	bool present[DMR_MAX_SPARES];
	/* The setup that was asked for ("setup <uuid>"). */
	bool has_setup;
	u8 setup_uuid[16];
	struct dmr_judgement j[DMR_MAX_SPARES][DMR_COPIES];
};

enum dmr_refusal {
	DMR_OK,
	DMR_NOTHING,		/* no intact header anywhere */
	DMR_OTHER_SETUP,	/* a spare belongs to another setup than the one asked for */
	DMR_TWO_SETUPS,		/* spares of two setups, or one spare that could be of either */
	DMR_WRONG_SPARE,	/* a spare is not the one whose place it was given in */
	DMR_UNKNOWN_VERSION,	/* the newest generation was written by something newer */
	DMR_NEWER_LOST,		/* a newer generation left its header, but no whole copy */
	DMR_SPARE_COUNT,	/* the setup has another number of spares than the table */
	DMR_BLANK_SPARE,	/* a spare shows nothing of the setup */
	DMR_SPLIT,		/* two sides went on without each other */
};

enum dmr_copy_state {
	DMR_COPY_NONE,		/* the spare is not present */
	DMR_COPY_WHOLE,		/* the winning generation, whole and in its place */
	DMR_COPY_STALE,		/* an older generation, whole and in its place */
	DMR_COPY_RIVAL,		/* whole and in its place, but of the other side of a split */
	DMR_COPY_BAD,		/* no valid copy */
	DMR_COPY_UNREAD,	/* could not be read, or not to its end */
	DMR_COPY_MISPLACED,	/* of the setup, but not of this place: never counts */
	DMR_COPY_FOREIGN,	/* of another setup: not to be touched without being told to */
	DMR_COPY_UNKNOWN,	/* of a version not known here: not to be touched either */
};

enum dmr_standing {
	DMR_SPARE_ABSENT,
	/* the winner was put on it: repair gives back its bad and stale copies */
	DMR_SPARE_CURRENT,
	/* it was absent when the winner was committed: a commit brings it back */
	DMR_SPARE_BEHIND,
	DMR_SPARE_DIVERGED,	/* it went on without the others */
	DMR_SPARE_RETIRED,	/* (present or not) no longer of the setup; not to be written */
};

/* What the copies on a spare say that it is. */
struct dmr_identity {
	bool known;
	bool tied;		/* as many say that it is one spare as that it is another */
	u8 index;
	u8 uuid[16];
};

struct dmr_choice {
	enum dmr_refusal refusal;
	/*
	 * One clause for the error message ("spare 1: ..."); NULL if refusal is
	 * DMR_OK.
	 */
	const char *why;
	/* The place that the refusal is about: spare position and copy, or -1. */
	int at_spare;
	int at_copy;

	/* The setup; zero if there is none. */
	u8 setup_uuid[16];
	/*
	 * The winning place, or -1. Set whenever there is a whole copy, even if
	 * something else refuses.
	 */
	int spare;
	int copy;
	/* The winner's sequence; 0 if there is none. */
	u64 sequence;
	/* The highest sequence in any intact header of the setup. */
	u64 highest;
	/*
	 * A header was unread, bad or foreign, or a spare that is not retired
	 * is missing: the next sequence is + 2.
	 */
	bool doubtful;
	/* The winner has read-only features that are not known here. */
	bool ro_compat;
	/* No sequence is left: read only. */
	bool exhausted;

	struct dmr_identity identity[DMR_MAX_SPARES];
	/*
	 * By spare: the highest sequence it showed (what base_sequence
	 * becomes). 0 if absent or nothing.
	 */
	u64 shown[DMR_MAX_SPARES];

	/* Set by dmr_choose_finish(). */
	enum dmr_standing standing[DMR_MAX_SPARES];
	enum dmr_copy_state copy_state[DMR_MAX_SPARES][DMR_COPIES];
};

/*
 * First step: who wins (FORMAT.md section 5). If c->spare >= 0 the caller reads
 * that place again, judges it (it may have changed since), holds it against
 * p->j by dmr_same_header() and decodes it for the second step. Refuses with
 * anything but DMR_SPARE_COUNT and DMR_BLANK_SPARE.
 */
void dmr_choose_winner(const struct dmr_places *p, struct dmr_choice *c);

/*
 * Second step: which spare stands how to the winner, and what every place
 * holds. `devices` are the 1 + spare_count records of the winner. May be called
 * after a refusal too, as long as there is a winner (a refusal of the first
 * step is kept).
 */
void dmr_choose_finish(const struct dmr_places *p, const struct dmr_disk_device *devices,
		       struct dmr_choice *c);

/* The sequence of the next commit (FORMAT.md section 6, "Number"); 0: none is left. */
u64 dmr_next_sequence(const struct dmr_choice *c);

/* What a refusal is called in messages: "a split", "a newer version"... Never NULL. */
const char *dmr_refusal_name(enum dmr_refusal refusal);

/* -- a generation in memory ------------------------------------------------------- */

/*
 * Records stay as they lie on disk (little-endian), so that reserved bytes
 * survive a rewrite; record crcs are made by dmr_encode(). 14 KB without the
 * entries: allocate it.
 */
struct dmr_generation {
	struct dmr_header h;
	struct dmr_disk_device devices[DMR_MAX_DEVICES];	/* 1 + h.spare_count are used */
	struct dmr_disk_config config;
	struct dmr_disk_health health;
	struct dmr_disk_event events[DMR_EVENT_RING];		/* all places of the ring */
	u32 event_count;					/* used ones */
	/*
	 * In the order of the disk: by main, retired ones last, by
	 * (spare_index, spare).
	 */
	struct dmr_entry *entries;
	u32 entry_count;
};

/*
 * Decodes a valid image. g->entries must point to room for DMR_MAX_ENTRIES. In
 * an unsound generation the entries may be in any order, overlap, and lie
 * anywhere.
 */
void dmr_decode(const void *image, struct dmr_generation *g);

/*
 * Makes the body of a new generation: g with the layout of a v4.0 writer.
 * `old_image` is the valid image that g came from, or what dmr_encode() last
 * made of it; from it come reserved bytes, sections of unknown type (moved
 * behind REMAPS) and the blocks whose entries did not change, to the byte.
 * Changed blocks get g->h.sequence.
 *
 * Of g->h are taken: sequence, written_ns, created_ns, parent_crc, state,
 * setup_uuid, spare_count, run_id and writer. The per-copy fields of the header
 * become zero; dmr_seal_header() makes the header of a place.
 *
 * new_image has room for DMR_SLOT_BYTES and is not old_image. All of
 * [0, slot_bytes) is written, what no section covers with zeros. Returns
 * slot_bytes; 0 if the entries do not fit (dmr_entry_room()), and then nothing
 * is written.
 */
u32 dmr_encode(const struct dmr_generation *g, const void *old_image, void *new_image);

/* How many entries fit beside the sections of unknown type in this valid image. */
u32 dmr_entry_room(const void *image);

/*
 * Makes the header block of one place (DMR_BLOCK bytes, zero behind the header)
 * for the generation in `image`, which dmr_encode() made or dmr_judge() called
 * valid.
 */
void dmr_seal_header(const void *image, u8 copy_index, u8 spare_index, const u8 spare_uuid[16],
		     void *block);

/*
 * Adds an event to the ring; the oldest one gives way. device: 0 main, 1 + i
 * spare i.
 */
void dmr_add_event(struct dmr_generation *g, u64 time_ns, enum dmr_event_kind kind, u16 device,
		   u64 sector, u32 length, u32 value);

/* CRC32 (IEEE, as zlib's) of n bytes. */
u32 dmr_crc32(const void *p, size_t n);

#endif /* DMR_FORMAT_H */
