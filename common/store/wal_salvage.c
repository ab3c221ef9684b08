#include "common/store/wal_salvage.h"

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/wal_reader.h"

/* A frame whose checksums hold though its body is no push keeps its marks: what the body held is not sent again. */
static void keep_marks(struct cw_str bytes, uint64_t segment, struct cw_buf *out)
{
    static const char zeros[CW_WAL_ALIGN];
    struct cw_wal_frame frame;
    struct cw_arena *arena = cw_arena_new();
    struct cw_err ignored;
    size_t len, start = out->len;
    if (cw_wal_frame_decode(bytes, segment, arena, &frame, &len, &ignored) == 0 &&
        frame.kind == CW_WAL_DATA) {
        frame.format = CW_WAL_BODY_NONE;
        frame.codec = CW_CODEC_NONE;
        frame.body = CW_STR_NONE;
        frame.body_raw = 0;
        frame.ndropped = 0;
        cw_wal_frame_encode(&frame, out);
        cw_buf_add(out, zeros, cw_wal_frame_padding(out->len - start));
    }
    cw_arena_free(&arena);
}

int cw_wal_salvage(const char *path, uint64_t segment, const struct cw_wal_range *bad, size_t n,
                   struct cw_err *err)
{
    struct cw_wal_reader *reader;
    int rc = cw_wal_reader_open(path, &reader, err);
    if (rc == CW_E_CORRUPT || (rc == 0 && cw_wal_reader_header(reader)->segment != segment)) {
        if (rc == 0)
            cw_wal_reader_close(&reader);
        rc = cw_wal_reader_salvage(path, segment, &reader, err);
    }
    if (rc < 0)
        return rc;
    struct cw_str bytes = cw_wal_reader_bytes(reader);
    struct cw_buf out;
    cw_buf_init(&out, bytes.len + (1u << 20));
    cw_wal_header_encode(cw_wal_reader_header(reader), &out);
    uint64_t at = CW_WAL_SEGMENT_HEADER_BYTES;
    for (size_t i = 0; i < n; i++) {
        uint64_t from = CW_MAX(bad[i].off, at);
        cw_buf_adds(&out, cw_str_sub(bytes, at, from));
        keep_marks(cw_str_sub(bytes, from, bad[i].off + bad[i].len), segment, &out);
        at = CW_MAX(at, bad[i].off + bad[i].len);
    }
    cw_buf_adds(&out, cw_str_sub(bytes, at, bytes.len));
    if (cw_buf_failed(&out))
        rc = cw_err_set(err, CW_E_LIMIT, "%s: too large to be written anew", path);
    if (rc == 0)
        rc = cw_file_replace(path, cw_buf_str(&out), err);
    cw_buf_fini(&out);
    cw_wal_reader_close(&reader);
    return rc;
}

int cw_wal_give_up_before(const char *path, uint64_t segment, struct cw_err *err)
{
    struct cw_wal_reader *reader;
    int rc = cw_wal_reader_open(path, &reader, err);
    if (rc < 0)
        return rc;
    struct cw_str bytes = cw_wal_reader_bytes(reader);
    struct cw_wal_header header = *cw_wal_reader_header(reader);
    struct cw_buf out;
    cw_buf_init(&out, bytes.len);
    header.before = CW_WAL_BEFORE_GIVEN_UP;
    cw_wal_header_encode(&header, &out);
    cw_buf_adds(&out, cw_str_sub(bytes, CW_WAL_SEGMENT_HEADER_BYTES, bytes.len));
    rc = header.segment == segment
             ? cw_file_replace(path, cw_buf_str(&out), err)
             : cw_err_set(err, CW_E_CORRUPT, "%s: the header is of another segment", path);
    cw_buf_fini(&out);
    cw_wal_reader_close(&reader);
    return rc;
}
