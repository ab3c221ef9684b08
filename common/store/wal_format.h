/*
 * wal_format.h - the write-ahead log, drawn to the byte.
 *
 * The log is a row of segments, `wal/<segment number, 16 digits>.wal`. All integers are little-endian. A segment is a
 * header and frames; headers and frames begin at multiples of 8, so that a reader that meets bad bytes goes on at the next
 * aligned magic. A segment is fsynced before the next begins; only the last one may end torn.
 *
 *   segment | header 64 B | frame | frame | ...
 *   header  |  0 magic "CWWALSEG" | 8 version u32 = 2 | 12 before u32 | 16 segment u64 | 24 first_seq u64 | 32 created_ns i64
 *           | 40 0 ... | 56 xxh3 u64 of bytes 0..55
 *   frame   |  0 magic "CWFr" u32 | 4 kind u8 | 5 format u8 | 6 codec u8 | 7 0 u8
 *           |  8 xxh3 u64 of the bytes from 16 to the end of meta
 *           | 16 seq u64 | 24 received_ns i64 | 32 segment u64 | 40 body_xxh3 u64
 *           | 48 body_raw u32 (decompressed) | 52 body_len u32 | 56 meta_len u32 | 60 0 u32
 *           | 64 meta | body | zeros to a multiple of 8
 *
 * seq counts frames from 1 over all segments, without gaps but where frames were voided. A frame is valid when both
 * checksums hold, `segment` is its segment's number and its lengths fit the bounds below.
 *
 * before says whether a log without the frames before first_seq is whole (enum cw_wal_before). Segments go from the oldest on, when
 * the catalog says that what they hold is in parts, or when a later one says that nothing before it is needed: a gap that is
 * neither is a loss.
 *
 * kind 1, data: one push. meta:
 *   tenant: len u32, bytes | ndropped u32, that many u32: indices (over all streams, in order) of entries of the body that
 *   were duplicates when it was written, ascending: replay leaves them out and decides nothing again
 *   | has_delivery u32 (0 or 1); if 1: shipper 16 B | nmarks u32, each: source 16 B, generation u64, offset u64 (the mark is
 *   this now) | nconfirms u32, each as a mark (positions on disk passed it)
 *   | the settings by which the body is completed, to the end of meta (discovery.h); none: it is complete. Version 1 had none.
 *   body: as received, in `format`, packed by `codec`, where all its entries were accepted; else the accepted ones in
 *   format 1. body_raw is its size decompressed. A frame without entries (confirms) has no body.
 * kind 2, checkpoint: the first frame of every segment. No entries. meta:
 *   last_seq u64: the last good frame before this segment. What older segments hold past it is void.
 *   The body (codec 0 or lz4):
 *   nsessions u32, each: shipper 16 B, session 16 B, drawn_ns i64
 *   | nmarks u32, each: tenant len u32, bytes | shipper 16 B | source 16 B | generation u64 | offset u64 | confirmed u64 | last_ns i64
 *   All marks and sessions there are: whatever older segments say is replaced.
 * kind 3, session: meta: shipper 16 B | session 16 B. No body.
 */
#ifndef CW_STORE_WAL_FORMAT_H
#define CW_STORE_WAL_FORMAT_H
#include <stdint.h>
#include "common/base/limits.h"

#define CW_WAL_SEGMENT_MAGIC "CWWALSEG"
#define CW_WAL_VERSION 2u
#define CW_WAL_VERSION_OLDEST 1u       /* that is read */
#define CW_WAL_FRAME_MAGIC 0x72465743u /* "CWFr" */
#define CW_WAL_ALIGN 8u
#define CW_WAL_SUFFIX ".wal"

enum {
    CW_WAL_SEGMENT_HEADER_BYTES = 64,
    CW_WAL_FRAME_HEADER_BYTES = 64,
    CW_WAL_NAME_DIGITS = 16,
};

/* Numbers of the header. */
enum cw_wal_before {
    CW_WAL_BEFORE_UNKNOWN = 0,  /* not said: older versions */
    CW_WAL_BEFORE_NEEDED = 1,   /* what is in no part is in the segments before */
    CW_WAL_BEFORE_SETTLED = 2,  /* no frame before holds an entry that is in no part */
    CW_WAL_BEFORE_GIVEN_UP = 3, /* frames before it are missing: that was told, and is so */
};

enum cw_wal_kind {
    CW_WAL_DATA = 1,
    CW_WAL_CHECKPOINT = 2,
    CW_WAL_SESSION = 3,
};

/* The numbers stand in files: never renumber. */
enum cw_wal_body_format {
    CW_WAL_BODY_NONE = 0,
    CW_WAL_BODY_LOKI_PROTOBUF = 1,
    CW_WAL_BODY_LOKI_JSON = 2,
};

/* A dropped index for every entry of the largest push, and its marks, fit; more is not a frame. */
#define CW_WAL_META_BYTES_MAX (CW_LIMIT_PUSH_ENTRIES * 4u + (32u << 20))
/* A push body, or a checkpoint of about two million marks. */
#define CW_WAL_BODY_BYTES_MAX (256u << 20)

#endif
