// SPDX-License-Identifier: GPL-2.0-or-later
// What can be known of a device or image from outside its metadata. Types only: src/host gathers them.

/** Strings are as the system gave them (not escaped); null: it cannot be seen. Sizes in bytes. */
export interface DeviceFacts {
  readonly kind: 'image' | 'block';
  readonly sizeBytes: bigint;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly wwn: string | null;
  readonly serial: string | null;
  readonly model: string | null;
  /** A /dev/disk/by-id path where there is one, else the path itself. */
  readonly stablePath: string;
  /** GPT PARTUUID in 8-4-4-4-12 form. */
  readonly partUuid: string | null;
  /** Of a partition: the identity (ReadHandle.identity) of the disk it is on. */
  readonly wholeDisk?: string;
  readonly zoned: boolean;
  readonly readOnly: boolean;
}

/** What blkid(8) says of the contents; all null when it is not installed or found nothing. */
export interface ContentHints {
  readonly fsUuid: string | null;
  readonly fsType: string | null;
  /** Bytes; the file system's own block size, when blkid knows it. */
  readonly fsBlockSize: number | null;
}
