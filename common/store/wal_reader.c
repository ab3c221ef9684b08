#include "common/store/wal_reader.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/hash.h"

/* The search for good frames gives up after checking this many times the segment's bytes. */
enum { RESYNC_BUDGET_SEGMENTS = 16 };
/* Pages are given back in steps of so much. */
enum { READER_REST_BYTES = 4 << 20 };

struct cw_wal_reader {
    struct cw_file_map map;
    struct cw_str bytes;
    struct cw_wal_header header;
    uint64_t at;       /* where the next frame begins */
    uint64_t good_end; /* behind the last good frame */
    uint64_t rested;   /* pages before it were given back */
    uint64_t last_seq;
    uint64_t
        resync_budget; /* bytes that the search for good frames may still check: no file makes it quadratic */
    struct cw_arena *arena; /* of the current frame */
    struct cw_err why;
};

void cw_wal_path(const char *dir, uint64_t number, struct cw_buf *out)
{
    cw_buf_addf(out, "%s/%0*llu" CW_WAL_SUFFIX, dir, CW_WAL_NAME_DIGITS,
                (unsigned long long)number);
}

static int number_order(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

int cw_wal_list(const char *dir, struct cw_wal_list *out, struct cw_err *err)
{
    struct cw_file_names names = {0};
    struct cw_wal_list list = {0};
    int rc = cw_file_list(dir, &names, err);
    if (rc < 0)
        return rc;
    list.numbers = cw_mem_array(names.n + 1, sizeof(*list.numbers));
    for (size_t i = 0; i < names.n; i++) {
        struct cw_str name = cw_str_of(names.names[i]);
        uint64_t number;
        if (name.len == CW_WAL_NAME_DIGITS + sizeof(CW_WAL_SUFFIX) - 1 &&
            cw_str_ends(name, CW_STR(CW_WAL_SUFFIX)) &&
            cw_str_to_u64(cw_str_sub(name, 0, CW_WAL_NAME_DIGITS), &number))
            list.numbers[list.n++] = number;
    }
    cw_file_names_free(&names);
    qsort(list.numbers, list.n, sizeof(*list.numbers), number_order);
    *out = list;
    return 0;
}

void cw_wal_list_fini(struct cw_wal_list *list)
{
    free(list->numbers);
    *list = (struct cw_wal_list){0};
}

/* ---- the header ---- */

static void put_u64(char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint64_t get_u64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

void cw_wal_header_encode(const struct cw_wal_header *header, struct cw_buf *out)
{
    char bytes[CW_WAL_SEGMENT_HEADER_BYTES] = {0};
    uint32_t version = htole32(CW_WAL_VERSION), before = htole32((uint32_t)header->before);
    memcpy(bytes, CW_WAL_SEGMENT_MAGIC, 8);
    memcpy(bytes + 8, &version, sizeof(version));
    memcpy(bytes + 12, &before, sizeof(before));
    put_u64(bytes + 16, header->segment);
    put_u64(bytes + 24, header->first_seq);
    put_u64(bytes + 32, (uint64_t)header->created_ns);
    put_u64(bytes + 56, cw_hash64(bytes, 56));
    cw_buf_add(out, bytes, sizeof(bytes));
}

int cw_wal_header_decode(struct cw_str bytes, struct cw_wal_header *out, struct cw_err *err)
{
    uint32_t version, before;
    if (bytes.len < CW_WAL_SEGMENT_HEADER_BYTES)
        return cw_err_set(err, CW_E_CORRUPT, "the segment has no header");
    if (memcmp(bytes.ptr, CW_WAL_SEGMENT_MAGIC, 8) != 0)
        return cw_err_set(err, CW_E_CORRUPT, "not a segment of the log");
    memcpy(&version, bytes.ptr + 8, sizeof(version));
    if (get_u64(bytes.ptr + 56) != cw_hash64(bytes.ptr, 56))
        return cw_err_set(err, CW_E_CORRUPT, "bad checksum of the segment's header");
    if (le32toh(version) < CW_WAL_VERSION_OLDEST || le32toh(version) > CW_WAL_VERSION)
        return cw_err_set(err, CW_E_NOT_IMPLEMENTED,
                          "the segment has version %u, this program knows %u", le32toh(version),
                          CW_WAL_VERSION);
    out->segment = get_u64(bytes.ptr + 16);
    out->first_seq = get_u64(bytes.ptr + 24);
    out->created_ns = (int64_t)get_u64(bytes.ptr + 32);
    memcpy(&before, bytes.ptr + 12, sizeof(before));
    before = le32toh(before);
    out->before =
        before <= CW_WAL_BEFORE_GIVEN_UP ? (enum cw_wal_before)before : CW_WAL_BEFORE_UNKNOWN;
    return 0;
}

/* ---- the reader ---- */

static struct cw_wal_reader *reader_new(struct cw_str bytes, const struct cw_wal_header *header)
{
    struct cw_wal_reader *reader = cw_mem_new(sizeof(*reader));
    reader->bytes = bytes;
    reader->header = *header;
    reader->at = reader->good_end = CW_WAL_SEGMENT_HEADER_BYTES;
    reader->resync_budget = RESYNC_BUDGET_SEGMENTS * (uint64_t)bytes.len;
    reader->arena = cw_arena_new();
    return reader;
}

int cw_wal_reader_open_bytes(struct cw_str bytes, struct cw_wal_reader **out, struct cw_err *err)
{
    struct cw_wal_header header;
    int rc = cw_wal_header_decode(bytes, &header, err);
    if (rc < 0)
        return rc;
    *out = reader_new(bytes, &header);
    return 0;
}

int cw_wal_reader_open(const char *path, struct cw_wal_reader **out, struct cw_err *err)
{
    struct cw_file_map map;
    int rc = cw_file_map(path, &map, err);
    if (rc < 0)
        return rc;
    rc = cw_wal_reader_open_bytes(cw_str_make(map.ptr, map.len), out, err);
    if (rc < 0) {
        cw_file_unmap(&map);
        return cw_err_wrap(err, "%s", path);
    }
    (*out)->map = map;
    return 0;
}

int cw_wal_reader_salvage(const char *path, uint64_t segment, struct cw_wal_reader **out,
                          struct cw_err *err)
{
    struct cw_file_map map;
    struct cw_wal_header header = {.segment = segment};
    struct cw_wal_next next;
    enum cw_wal_event event;
    int rc = cw_file_map(path, &map, err);
    if (rc < 0)
        return rc;
    struct cw_str bytes = cw_str_make(map.ptr, map.len);
    struct cw_wal_reader *first = reader_new(bytes, &header);
    while ((event = cw_wal_reader_next(first, &next)) == CW_WAL_BAD)
        ;
    header.first_seq = next.frame.seq;
    cw_wal_reader_close(&first);
    if (event == CW_WAL_END) {
        cw_file_unmap(&map);
        return cw_err_set(err, CW_E_CORRUPT, "%s: no frame in it is whole", path);
    }
    *out = reader_new(bytes, &header);
    (*out)->map = map;
    return 0;
}

void cw_wal_reader_close(struct cw_wal_reader **reader)
{
    if (!*reader)
        return;
    cw_file_unmap(&(*reader)->map);
    cw_arena_free(&(*reader)->arena);
    free(*reader);
    *reader = NULL;
}

const struct cw_wal_header *cw_wal_reader_header(const struct cw_wal_reader *reader)
{
    return &reader->header;
}

struct cw_str cw_wal_reader_bytes(const struct cw_wal_reader *reader)
{
    return reader->bytes;
}

/* A good frame at `off`, in sequence? */
static bool frame_at(struct cw_wal_reader *reader, uint64_t off, struct cw_wal_next *out,
                     size_t *len_out)
{
    struct cw_str rest = cw_str_sub(reader->bytes, off, reader->bytes.len);
    cw_arena_reset(reader->arena);
    if (cw_wal_frame_decode(rest, reader->header.segment, reader->arena, &out->frame, len_out,
                            &reader->why) < 0)
        return false;
    if (out->frame.seq <= reader->last_seq) {
        cw_err_set(&reader->why, CW_E_CORRUPT, "frame %llu after frame %llu",
                   (unsigned long long)out->frame.seq, (unsigned long long)reader->last_seq);
        return false;
    }
    return true;
}

static enum cw_wal_event give_frame(struct cw_wal_reader *reader, uint64_t off, size_t len,
                                    struct cw_wal_next *out)
{
    out->off = off;
    out->len = len;
    reader->last_seq = out->frame.seq;
    reader->at = reader->good_end = off + len;
    return CW_WAL_FRAME;
}

/* The next place at or behind `off` where a frame of this segment may begin, or the end. */
static uint64_t find_magic(struct cw_wal_reader *reader, uint64_t off)
{
    const uint32_t magic = htole32(CW_WAL_FRAME_MAGIC);
    for (; off + CW_WAL_FRAME_HEADER_BYTES <= reader->bytes.len; off += CW_WAL_ALIGN) {
        const char *at = reader->bytes.ptr + off;
        if (memcmp(at, &magic, sizeof(magic)) != 0 || get_u64(at + 32) != reader->header.segment)
            continue;
        /* What decoding may have to read. */
        uint64_t cost =
            CW_MIN((get_u64(at + 48) >> 32) + (uint32_t)get_u64(at + 56), reader->bytes.len);
        if (cost > reader->resync_budget)
            return reader->bytes.len;
        reader->resync_budget -= cost;
        return off;
    }
    return reader->bytes.len;
}

/* A segment is read once: what lies behind is not to count as this process's memory. */
static void rest_behind(struct cw_wal_reader *reader)
{
    if (reader->map.ptr == NULL || reader->at - reader->rested < READER_REST_BYTES)
        return;
    cw_file_rest(cw_str_sub(reader->bytes, reader->rested, reader->at));
    reader->rested = reader->at;
}

enum cw_wal_event cw_wal_reader_next(struct cw_wal_reader *reader, struct cw_wal_next *out)
{
    size_t len;
    uint64_t off = reader->at;
    rest_behind(reader);
    *out = (struct cw_wal_next){.why = reader->why.text};
    if (off >= reader->bytes.len)
        return CW_WAL_END;
    if (frame_at(reader, off, out, &len))
        return give_frame(reader, off, len, out);
    struct cw_err first = reader->why;
    /* A frame whose header holds is skipped whole: its body, which anybody may have sent, could hold what looks like a frame. */
    for (off += len ? len : CW_WAL_ALIGN;; off += len ? len : CW_WAL_ALIGN) {
        off = find_magic(reader, off);
        if (off >= reader->bytes.len)
            return CW_WAL_END;
        if (frame_at(reader, off, out, &len))
            break;
    }
    reader->why = first;
    out->off = reader->at;
    out->len = off - reader->at;
    reader->at = off; /* the good frame comes with the next call */
    return CW_WAL_BAD;
}

struct cw_str cw_wal_reader_tail(const struct cw_wal_reader *reader, uint64_t *off_out)
{
    *off_out = reader->good_end;
    return cw_str_sub(reader->bytes, reader->good_end, reader->bytes.len);
}
