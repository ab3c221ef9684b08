/*
 * format.h - every byte of a part file and of the catalog. Who reads it: part_reader.c, catalog.c; who writes: part_writer.c.
 *
 * All integers are little-endian. XXH3 is XXH3-64, seed 0; "low 32" are its low 32 bits. A varint is LEB128, at most 10 bytes.
 * Bytes from disk are never trusted: every offset, count and size is checked against what holds it and against the limits
 * below before anything is allocated; decoding never asserts.
 *
 * ---- part ----
 *
 *   part   | header 16 B | blocks ... | FILTERS | BLOCKS | STREAMS | POSTINGS | ORIGIN | footer 256 B |
 *
 * A part is written once, front to back, under a temporary name, then fsynced and renamed. Valid is a file with a valid footer
 * at its very end whose regions lie between header and footer. Its rows are in no other part that the catalog names.
 *
 *   header    0 magic u64 | 8 major u16 | 10 minor u16 | 12 zero u32
 *
 *   footer    0 magic u64 | 8 major u16 | 10 minor u16 | 12 level u8 | 13 zero u8 | 14 zero u16 | 16 incompat u32 | 20 compat u32
 *            24 id u64: drawn from a counter of the data directory
 *            32 wal_first u64 | 40 wal_last u64: sequence numbers of the frames that it came from; of a merged part the least and
 *               the greatest of its inputs
 *            48 rows u64 | 56 raw_bytes u64 (of lines)
 *            64 min_ns i64 | 72 max_ns i64: inclusive
 *            80 blocks u32 | 84 streams u32
 *            88 day i32: days since 1970-01-01, or INT32_MIN: rows of any days
 *            92 flush_parts u32: how many parts its flush wrote, itself included; 0 in a merged part
 *            96 regions: FILTERS, BLOCKS, STREAMS, POSTINGS, ORIGIN, each offset u64 | length u64 | XXH3 u64
 *           216 flush_id u64: the id of the first part that the attempt at its flush wrote; 0 in a merged part
 *           224 XXH3 of the directory of STREAMS u64 | 232 XXH3 of what stands before the first chunk in POSTINGS u64 (from 1.1
 *               on; zero before): who opens a part checks these and BLOCKS and ORIGIN; filters, groups and chunks have checksums
 *               of their own and are read and checked when they are needed, so that an index of gigabytes costs a start nothing
 *           240 XXH3 of the footer's first 240 B u64 | 248 magic u64
 *
 *   FILTERS   per block that has one, its value filter (value_filter.h): lanes u32 | XXH3 of what follows, low 32 | lanes x 32 B
 *   BLOCKS    per block 48 B:
 *             0 offset u64 | 8 length u32 | 12 rows u32 | 16 raw_bytes u32 (of lines) | 20 filter u32: where the block's value
 *               filter stands in FILTERS, plus 1; 0: it has none |
 *             24 first stream u32 | 28 last stream u32: inclusive, numbers in STREAMS | 32 min_ns i64 | 40 max_ns i64
 *   STREAMS   groups of 256 streams, ordered by app (cw_part_stream_cmp in stream_table.h), then labels; a stream's number is its
 *             rank. First a directory:
 *             groups x ( offset u64 | raw u32 | stored u32 | codec u8 | zero 3 B | XXH3 of the stored bytes, low 32 )
 *             group, decompressed, per stream:
 *               varint rows | varint raw_bytes | varint labels | per label:
 *               varint bytes of the name, name | varint bytes shared with the front of the value that the label at this place of
 *               the stream before has (0 in a group's first) | varint bytes that follow, they
 *   POSTINGS  which streams carry a label. Names sorted by bytes; under a name its values sorted by bytes.
 *             0 names u32 | 4 chunks u32 | names x ( offset of the name's bytes in the region u32 | its length u32 |
 *             first chunk u32 | chunks u32 ) | chunks x ( offset u64 | raw u32 | stored u32 | codec u8 | zero 3 B |
 *             XXH3 of the stored bytes, low 32 | values u32 ) |
 *             chunks x ( offset of the fence's bytes in the region u32 | its length u32 ) (from 1.1 on) |
 *             bytes of names and fences | bytes of chunks
 *             fence: not after the chunk's first value, and after the last value of the chunk before; of a name's first chunk it
 *             is empty. So one chunk is read for one value.
 *             chunk, decompressed, of at most 1,024 values of one name, per value:
 *               varint bytes shared with the value before (0 in a chunk's first) | varint bytes that follow, they |
 *               varint runs | per run: varint gap since the end of the run before (0-based number at the first) | varint length - 1
 *   ORIGIN    tenant length u16 | tenant | count u32 | count x id u64: parts that it replaces, those included that they replaced
 *
 * ---- block ----
 *
 *   block   | header 64 B | directory | sections in the directory's order |
 *
 *   header    0 magic u32 | 4 major u8 | 5 minor u8 | 6 kind u8 (enum cw_block_kind) | 7 mode u8 (0; templates: enum
 *            cw_token_mode, which only the writer needs) | 8 incompat u32 | 12 compat u32 |
 *            16 rows u32 | 20 templates u32 | 24 columns u32 (both 0 when plain) | 28 raw_bytes u32 | 32 min_ns i64 | 40 max_ns i64 |
 *            48 dir_bytes u32 | 52 streams u16 | 54 order u8 (0: rows by stream, then time, then arrival) | 55 zero u8 |
 *            56 XXH3 of the header's first 56 B followed by the directory u64
 *   directory per section 16 B:
 *             0 kind u8 (bit 7: may be skipped by who does not know it) | 1 codec u8 (enum cw_codec) | 2 count u16 | 4 raw u32 |
 *             8 stored u32 | 12 XXH3 of the stored bytes, low 32
 *
 *   In every block:
 *   STREAMS   integer column: stream numbers, ascending; integer column: rows of each. Absent when the block has one stream (its
 *             number is in BLOCKS)
 *   TIMES     integer column of ns
 *   META      structured metadata; absent when no row has any. varint names (sorted), per name:
 *               varint length, name | presence bitmap, (rows + 7) / 8 B, bit i % 8 of byte i / 8 | then one of
 *               varint bytes of the column of lengths (at least 2), integer column of the values' lengths | values one behind the other
 *               of few distinct values (incompat bit 0 of the block): varint 0 | varint distinct values (over 64: incompat bit 1, too) |
 *               varint length of each | their texts one behind the other | numbers
 *               of values in the next META_VALUES (incompat bit 1): varint 1 | varint distinct values, they are its rows, and numbers; or
 *               0: its rows are the values
 *               numbers: varint bytes of the column, integer column of which of the distinct values each value is
 *   META_VALUES  count: 0 in the first, 1 in the second, ...; not compressed. Values of a name of META, in the order of the names of
 *             that form: a block of templates of its own (kind 1) whose lines they are, which has no streams (0), no times (0) and none of
 *             STREAMS, TIMES, META and META_VALUES. The keys of its values are in the value filter of the block that holds it, which a
 *             plain block has, too, then; each value was cut as a line is
 *
 *   In a plain block (kind 0):
 *   LENGTHS   integer column: bytes of each line
 *   TEXT      one or more pieces, each a section: `count` lines (at least 1) one behind the other, nothing between them. A piece
 *             holds whole lines, about 256 KiB, so that what is decompressed is searched while it is in the L2 cache, and a
 *             reader decompresses only the pieces with rows that it wants. (Measured on the 13-system corpus, lz4: 64 KiB 16.96,
 *             128 KiB 16.56, 256 KiB 16.21, 4 MiB 15.89 MB; decompress + search 3.85, 4.18, 4.16, 4.11 GB/s.)
 *
 *   In a block of templates (kind 1), in this order, which is the order of need. A line is a template whose slots are filled with
 *   values; values of slots that are alike lie in one column. Slot types, and how column numbers follow from the templates:
 *   layout.h.
 *   TEMPLATES integer column: rows of each template (at least 1), in order of first use; integer column: bytes of the dictionary
 *             of each string column (STR, QUOTED), in order of columns
 *   TEXT      count 0. Per template: its text, in which a slot is its type's byte, and 0x00 | per string column its dictionary:
 *             values, each ended by 0x00
 *   ROWS      integer column: template of each row. (Absent when there is one template.)
 *   SMALL     per column that has no section of its own, in order: varint bytes, column
 *   COLUMN    one or more, count: the number of the column. Values in order of rows, in a row of slots:
 *             TIME*    integer column (seconds, or ms, of the day)
 *             IP4      integer column (u32, 10.0.0.1 is 0x0a000001)
 *             NUM      flags u8 (bit 0: digit counts follow) | integer column of the values, modulo 2^64 | integer column of digit
 *                      counts, only where some value has leading zeros
 *             DEC      integer column of mantissas | integer column of decimals behind the point
 *             HEX      integer column of the values | integer column of digit counts
 *             HEX32, UUID  encoding u8 | 0: 16 B each, as printed, big-endian | 1: varint distinct values, they 16 B each, integer
 *                      column of the numbers of the values
 *             STR, QUOTED  encoding u8 | 0: varint values in the dictionary, integer column of their numbers, dictionary in
 *                      order of first use | 1: nothing; the dictionary holds the value of each slot, in order
 *             RAW      integer column of the lines' lengths; their bytes are in RAW
 *   RAW       whole lines that no template fits, one behind the other. Absent when there are none
 *
 *   integer column (encode_int.h): encoding u8 | scale u8 (power of ten that divides every value: 0, 3, 6 or 9) | then
 *             CONST    the value, 8 B
 *             FOR      least value 8 B | width u8 | (value - least), packed
 *             MINI     per 128 values: least as varint zigzag | width u8 | packed
 *             DELTA    first value 8 B | the differences as MINI
 *             DICT     varint distinct values n (at least 1) | they, ascending as unsigned numbers: first 8 B, n - 1 differences as
 *                      MINI | width u8 | their numbers, packed
 *             BYTES    first value 8 B | zigzag differences, a length for each: n / 2 key bytes, two to a byte, low four
 *                      bits first, each the bytes of its difference (0..8) | the differences, little-endian, so many bytes each
 *             packed: `width` bits each, low bits first, (n * width + 7) / 8 B in all. All arithmetic is modulo 2^64.
 *
 * ---- catalog ----
 *
 *   text, replaced whole: lines ended by LF
 *             cordwood catalog <version>
 *             wal_flushed <seq>
 *             next_id <id>
 *             deletes kept                                   from when on there is a file `deletes`; before it the line is absent
 *             part <id> <day|mixed> <level> <min_ns> <max_ns> <bytes> <wal_first> <wal_last> <tenant, escaped>
 *                                                            one line a part, by id
 *             missing <as of a part>                         the same for each part that is missing (catalog.h)
 *             end <XXH3 of all that stands before this line, 16 hex digits>
 *   Version 1 had neither wal_first nor wal_last (0 in both: not known), no missing parts and no line of deletes.
 *
 * Versions: a higher major, or an unknown incompat bit, is refused by name; unknown compat bits are ignored. A change of the
 * format raises a version and keeps an old file in tests/data.
 */
#ifndef CW_STORE_FORMAT_H
#define CW_STORE_FORMAT_H
#include <stdint.h>
#include <string.h>
#include "common/base/limits.h"

/* C3 'W' 'D' 'P' 'A' 'R' 'T' '1': no text begins so. */
#define CW_PART_MAGIC UINT64_C(0x31545241504457c3)
#define CW_BLOCK_MAGIC UINT32_C(0x4b4257c3) /* c3 'W' 'B' 'K' */
#define CW_CATALOG_VERSION 2                /* 2: missing parts, wal_first and wal_last */

enum {
    CW_PART_MAJOR = 1,
    CW_PART_MINOR = 1, /* 1: fences, checksums of directories */
    CW_PART_INCOMPAT_KNOWN = 0,
    CW_BLOCK_MAJOR = 1,
    /* 1: blocks of templates; 2: metadata by dictionary; 3: by templates and columns, and large dictionaries */
    CW_BLOCK_MINOR = 3,
    CW_BLOCK_INCOMPAT_META_DICTIONARY = 1,
    CW_BLOCK_INCOMPAT_META_VALUES = 2,
    CW_BLOCK_INCOMPAT_KNOWN = CW_BLOCK_INCOMPAT_META_DICTIONARY | CW_BLOCK_INCOMPAT_META_VALUES,

    CW_PART_HEADER_BYTES = 16,
    CW_PART_FOOTER_BYTES = 256,
    CW_PART_BLOCK_ENTRY_BYTES = 48,
    CW_PART_STREAM_GROUP = 256,
    CW_PART_GROUP_ENTRY_BYTES = 24,
    CW_POSTINGS_HEADER_BYTES = 8,
    CW_POSTINGS_NAME_BYTES = 16,
    CW_POSTINGS_CHUNK_BYTES = 28,
    CW_POSTINGS_FENCE_BYTES = 8,
    CW_POSTINGS_CHUNK_VALUES = 1024,
    CW_BLOCK_HEADER_BYTES = 64,
    CW_BLOCK_SECTION_BYTES = 16,
};

enum cw_part_region {
    CW_REGION_FILTERS,
    CW_REGION_BLOCKS,
    CW_REGION_STREAMS,
    CW_REGION_POSTINGS,
    CW_REGION_ORIGIN,
    CW_REGIONS
};

enum cw_block_kind { CW_BLOCK_PLAIN = 0, CW_BLOCK_TEMPLATES = 1 };

enum cw_section_kind {
    CW_SECTION_TEXT = 1,
    CW_SECTION_LENGTHS = 2,
    CW_SECTION_TIMES = 3,
    CW_SECTION_STREAMS = 4,
    CW_SECTION_META = 5,
    CW_SECTION_TEMPLATES = 6,
    CW_SECTION_ROWS = 7,
    CW_SECTION_SMALL = 8,
    CW_SECTION_COLUMN = 9,
    CW_SECTION_RAW = 10,
    CW_SECTION_META_VALUES = 11,
    CW_SECTION_OPTIONAL = 0x80,
};

/* How META holds the values of a name; any other number is the size of their column of lengths. */
enum { CW_META_DICTIONARY = 0, CW_META_VALUES = 1 };

/* The day of a part whose rows are of any days. */
#define CW_DAY_MIXED INT32_MIN

/*
 * Limits of what a writer makes and a reader accepts. A reader may be handed any file, so each bounds an allocation.
 */
/* A block's rows and text: what one unit of work decodes. A block is closed before a line that would pass the text's target,
 * so only a single line can be larger than it. */
#define CW_BLOCK_ROWS_MAX 32768u
#define CW_BLOCK_RAW_TARGET (4u << 20)
/* Raw text of a piece and its lines (they fit the directory's u16). */
#define CW_PIECE_RAW_TARGET (256u << 10)
#define CW_PIECE_ROWS_MAX 8192u
/* The longest line: no push is longer, decompressed. */
#define CW_PART_LINE_BYTES_MAX CW_LIMIT_PUSH_RAW_BYTES
#define CW_BLOCK_RAW_MAX (CW_BLOCK_RAW_TARGET + CW_PART_LINE_BYTES_MAX)
/* Metadata of a block: a writer closes the block before a row that comes after as many pairs, distinct names or bytes. */
#define CW_BLOCK_META_PAIRS_TARGET 262144u
#define CW_BLOCK_META_NAMES_TARGET 1024u
#define CW_BLOCK_META_RAW_TARGET (8u << 20)
/* What a reader accepts (a pair costs it 12 bytes), so what one row may have over the targets: far more than the limits on a
 * push that a user may set. */
#define CW_BLOCK_META_PAIRS_MAX (1u << 20)
/* Distinct values of a name that always stand in META itself: a block of their own would be mostly headers. */
#define CW_BLOCK_META_DICTIONARY_MAX 64u
/* Names with such a block: a reader keeps what it needs of each (meta_values.h). */
#define CW_BLOCK_META_VALUES_MAX 64u
#define CW_BLOCK_META_RAW_MAX (64u << 20)
/* Pieces of a plain block: they are cut at 8,192 rows or near 256 KiB. */
#define CW_BLOCK_PIECES_MAX 1024u
/*
 * A block of templates. Over any of these bounds a writer makes a plain block, and a reader refuses the block. Random text makes a
 * template per line and random separators make a column per slot: encoding such is slow and saves nothing.
 */
#define CW_BLOCK_TEMPLATES_MAX 8192u
#define CW_BLOCK_COLUMNS_MAX 4096u
/* The rest of a line stays text. */
#define CW_TEMPLATE_SLOTS_MAX 255u
/* Of all templates of a block together: what a reader keeps of them. */
#define CW_BLOCK_SLOTS_MAX 262144u
/* Columns smaller than this share the section SMALL. */
#define CW_COLUMN_SMALL_BYTES 256u
/* Sections of a block of either kind. */
#define CW_BLOCK_SECTIONS_MAX (CW_BLOCK_COLUMNS_MAX + CW_BLOCK_META_VALUES_MAX + 16u)
/* Streams of a part; a generation of the head holds far fewer, and a merge that would pass it is not done. */
#define CW_PART_STREAMS_MAX (16u << 20)
#define CW_PART_BLOCKS_MAX (4u << 20)
/* A group of 256 streams with 128 labels of 3 KiB is 100 MB; streams have 15 labels by default. */
#define CW_PART_GROUP_RAW_MAX (128u << 20)
#define CW_POSTINGS_CHUNK_RAW_MAX (128u << 20)
#define CW_PART_STREAM_LABELS_MAX 1024u
/* Ids of replaced parts: the oldest are left out past it (their files are long gone). */
#define CW_PART_REPLACED_MAX 65536u

/* Unaligned little-endian access; the machines that we build for are little-endian. */
static inline uint16_t cw_get16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t cw_get32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t cw_get64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void cw_put16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void cw_put32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void cw_put64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "parts are read by memcpy");

#endif
