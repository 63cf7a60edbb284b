/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the freestanding files stand on: types, byte order, memcpy and CRC32, from
 * the kernel when built as a part of the module, from libc in the user-space
 * tests. Nothing of the format lives here, and nothing that allocates or waits.
 */
#ifndef DMR_PORT_H
#define DMR_PORT_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/crc32.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sort.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>

/* CRC32 state over n more bytes; begin with ~0 and invert the result (IEEE, as zlib). */
static inline u32 dmr_crc32_le(u32 crc, const void *p, size_t n)
{
	return crc32_le(crc, p, n);
}

static inline void dmr_sort(void *base, size_t n, size_t size,
			    int (*order)(const void *, const void *))
{
	sort(base, n, size, order, NULL);
}

#else /* user space */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As in the kernel: %llu prints a u64. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed long long s64;
typedef u16 __le16;
typedef u32 __le32;
typedef u64 __le64;

/* The kernel's takes no message either. */
#undef static_assert
#define static_assert(expr) _Static_assert(expr, #expr)

#define dmr_attribute(name) __attribute__((name))
#ifndef __packed
#define __packed dmr_attribute(packed)
#endif
#ifndef U32_MAX
#define U32_MAX UINT32_MAX
#endif
#ifndef U64_MAX
#define U64_MAX UINT64_MAX
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#ifndef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define dmr_swap16(x) ((u16)(x))
#define dmr_swap32(x) ((u32)(x))
#define dmr_swap64(x) ((u64)(x))
#else
#define dmr_swap16(x) __builtin_bswap16(x)
#define dmr_swap32(x) __builtin_bswap32(x)
#define dmr_swap64(x) __builtin_bswap64(x)
#endif
#define le16_to_cpu(x) dmr_swap16(x)
#define le32_to_cpu(x) dmr_swap32(x)
#define le64_to_cpu(x) dmr_swap64(x)
#define cpu_to_le16(x) dmr_swap16(x)
#define cpu_to_le32(x) dmr_swap32(x)
#define cpu_to_le64(x) dmr_swap64(x)

static inline void dmr_sort(void *base, size_t n, size_t size,
			    int (*order)(const void *, const void *))
{
	if (n > 1)
		qsort(base, n, size, order);
}

/* Eight bytes at a time: the tests sum a lot of metadata. */
static inline u32 dmr_crc32_le(u32 crc, const void *data, size_t n)
{
	static u32 table[8][256];
	const u8 *p = data;

	if (!table[0][1]) {
		for (u32 i = 0; i < 256; i++) {
			u32 c = i;

			for (int bit = 0; bit < 8; bit++)
				c = c & 1 ? (c >> 1) ^ 0xedb88320 : c >> 1;
			table[0][i] = c;
		}
		for (u32 i = 0; i < 256; i++)
			for (int k = 1; k < 8; k++)
				table[k][i] = (table[k - 1][i] >> 8) ^
					      table[0][table[k - 1][i] & 0xff];
	}
	for (; n >= 8; n -= 8, p += 8) {
		crc ^= p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
		crc = table[7][crc & 0xff] ^ table[6][(crc >> 8) & 0xff] ^
		      table[5][(crc >> 16) & 0xff] ^ table[4][crc >> 24] ^
		      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	while (n--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#endif /* __KERNEL__ */

#endif /* DMR_PORT_H */
