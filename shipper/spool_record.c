#include "shipper/spool_record.h"
#include <endian.h>
#include "common/base/assert.h"
#include "common/base/hash.h"

static const char magic[4] = {'C', 'W', 'S', 'p'};
enum { HEADER = CW_SPOOL_RECORD_HEADER_BYTES, FIXED = 28, PAIR = 8 };
#define PAYLOAD_MAX (CW_SPOOL_RECORD_BYTES - HEADER)

/* ---- writing ---- */

static void u32_add(struct cw_buf *out, size_t value)
{
    uint32_t le = htole32((uint32_t)value);
    cw_buf_add(out, &le, sizeof le);
}

static void u64_add(struct cw_buf *out, uint64_t value)
{
    uint64_t le = htole64(value);
    cw_buf_add(out, &le, sizeof le);
}

static void pairs_add(struct cw_buf *out, struct cw_labels pairs)
{
    for (size_t i = 0; i < pairs.n; i++) {
        u32_add(out, pairs.items[i].name.len);
        u32_add(out, pairs.items[i].value.len);
        cw_buf_adds(out, pairs.items[i].name);
        cw_buf_adds(out, pairs.items[i].value);
    }
}

/* What pairs take, or more than any record holds. */
static size_t pairs_size(struct cw_labels pairs)
{
    size_t size = 0;
    for (size_t i = 0; i < pairs.n && size <= CW_SPOOL_RECORD_HEAD_BYTES; i++) {
        size_t name = CW_MIN(pairs.items[i].name.len, (size_t)CW_SPOOL_RECORD_BYTES);
        size += PAIR + name + CW_MIN(pairs.items[i].value.len, (size_t)CW_SPOOL_RECORD_BYTES);
    }
    return size;
}

static void piece_add(const struct cw_spool_record *record, struct cw_str cursor,
                      struct cw_str line, struct cw_buf *out)
{
    size_t start = out->len;
    cw_buf_add(out, magic, sizeof magic);
    u32_add(out, 0); /* length and checksum follow when the payload is there */
    u64_add(out, 0);
    u64_add(out, (uint64_t)record->ts_ns);
    u32_add(out, record->labels.n);
    u32_add(out, record->metadata.n);
    u32_add(out, record->tenant.len);
    u32_add(out, cursor.len);
    u32_add(out, line.len);
    pairs_add(out, record->labels);
    pairs_add(out, record->metadata);
    cw_buf_adds(out, record->tenant);
    cw_buf_adds(out, cursor);
    cw_buf_adds(out, line);
    if (cw_buf_failed(out))
        return;
    char *at = out->ptr + start;
    size_t len = out->len - start - HEADER;
    uint32_t len_le = htole32((uint32_t)len);
    uint64_t check_le = htole64(cw_hash64(at + HEADER, len));
    memcpy(at + 4, &len_le, sizeof len_le);
    memcpy(at + 8, &check_le, sizeof check_le);
}

int cw_spool_record_encode(const struct cw_spool_record *record, struct cw_buf *out,
                           struct cw_err *err)
{
    size_t before = out->len;
    size_t head = FIXED + pairs_size(record->labels) + pairs_size(record->metadata) +
                  CW_MIN(record->tenant.len, (size_t)CW_SPOOL_RECORD_BYTES) +
                  CW_MIN(record->cursor.len, (size_t)CW_SPOOL_RECORD_BYTES);
    if (head > CW_SPOOL_RECORD_HEAD_BYTES)
        return cw_err_set(err, CW_E_TOO_LARGE,
                          "labels, metadata and cursor of an entry are over %u bytes",
                          CW_SPOOL_RECORD_HEAD_BYTES);
    struct cw_str rest = record->line;
    int n = 0;
    do {
        struct cw_str piece = cw_str_sub(rest, 0, CW_LIMIT_LINE_BYTES);
        rest = cw_str_sub(rest, CW_LIMIT_LINE_BYTES, rest.len);
        piece_add(record, rest.len == 0 ? record->cursor : CW_STR_NONE, piece, out);
        n++;
    } while (rest.len > 0);
    if (!cw_buf_failed(out))
        return n;
    out->len = before;
    return cw_err_set(err, CW_E_TOO_LARGE, "no room for an entry of %zu bytes", record->line.len);
}

/* ---- reading ---- */

static uint32_t u32_at(const char *at)
{
    uint32_t le;
    memcpy(&le, at, sizeof le);
    return le32toh(le);
}

static uint64_t u64_at(const char *at)
{
    uint64_t le;
    memcpy(&le, at, sizeof le);
    return le64toh(le);
}

enum frame_state { FRAME_WHOLE, FRAME_CUT_OFF, FRAME_BAD };

/* What stands at bytes[at], by its header and checksum. */
static enum frame_state frame_at(struct cw_str bytes, size_t at, struct cw_str *payload_out)
{
    size_t left = bytes.len - at;
    const char *from = bytes.ptr + at;
    if (memcmp(from, magic, CW_MIN(left, sizeof magic)) != 0)
        return FRAME_BAD;
    if (left < HEADER)
        return FRAME_CUT_OFF;
    size_t len = u32_at(from + 4);
    if (len < FIXED || len > PAYLOAD_MAX)
        return FRAME_BAD;
    if (left - HEADER < len)
        return FRAME_CUT_OFF;
    *payload_out = cw_str_make(from + HEADER, len);
    return cw_hash64(from + HEADER, len) == u64_at(from + 8) ? FRAME_WHOLE : FRAME_BAD;
}

/* Where behind `at` the next record is, or may be one that is cut off. */
static size_t frame_search(struct cw_str bytes, size_t at, bool cut_off_counts)
{
    struct cw_str payload;
    while (++at < bytes.len) {
        const char *found = memchr(bytes.ptr + at, magic[0], bytes.len - at);
        if (found == NULL)
            return bytes.len;
        at = (size_t)(found - bytes.ptr);
        enum frame_state state = frame_at(bytes, at, &payload);
        if (state == FRAME_WHOLE || (state == FRAME_CUT_OFF && cut_off_counts))
            return at;
    }
    return bytes.len;
}

size_t cw_spool_record_resync(struct cw_str bytes, size_t at)
{
    return frame_search(bytes, at, false);
}

static bool text_take(struct cw_str *rest, size_t len, struct cw_str *out)
{
    if (len > rest->len)
        return false;
    *out = cw_str_sub(*rest, 0, len);
    *rest = cw_str_sub(*rest, len, rest->len);
    return true;
}

static bool pairs_take(struct cw_str *rest, size_t n, struct cw_arena *arena, struct cw_labels *out)
{
    *out = CW_LABELS_NONE;
    if (n > rest->len / PAIR)
        return false;
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, n);
    for (size_t i = 0; i < n; i++) {
        if (rest->len < PAIR)
            return false;
        size_t name_len = u32_at(rest->ptr), value_len = u32_at(rest->ptr + 4);
        *rest = cw_str_sub(*rest, PAIR, rest->len);
        if (!text_take(rest, name_len, &pairs[i].name) ||
            !text_take(rest, value_len, &pairs[i].value))
            return false;
    }
    if (n > 0)
        *out = (struct cw_labels){pairs, n};
    return true;
}

static bool labels_sorted(struct cw_labels labels)
{
    for (size_t i = 1; i < labels.n; i++)
        if (cw_str_cmp(labels.items[i - 1].name, labels.items[i].name) >= 0)
            return false;
    return true;
}

static bool payload_read(struct cw_str payload, struct cw_arena *arena, struct cw_spool_record *out)
{
    const char *from = payload.ptr;
    struct cw_str rest = cw_str_sub(payload, FIXED, payload.len);
    out->ts_ns = (int64_t)u64_at(from);
    return pairs_take(&rest, u32_at(from + 8), arena, &out->labels) &&
           pairs_take(&rest, u32_at(from + 12), arena, &out->metadata) &&
           text_take(&rest, u32_at(from + 16), &out->tenant) &&
           text_take(&rest, u32_at(from + 20), &out->cursor) &&
           text_take(&rest, u32_at(from + 24), &out->line) && rest.len == 0 &&
           labels_sorted(out->labels);
}

int cw_spool_record_next(struct cw_str bytes, size_t *at, struct cw_arena *arena,
                         struct cw_spool_record *out, struct cw_err *err)
{
    if (*at >= bytes.len)
        return 0;
    struct cw_str payload;
    enum frame_state state = frame_at(bytes, *at, &payload);
    if (state == FRAME_CUT_OFF)
        return 0;
    if (state == FRAME_WHOLE && payload_read(payload, arena, out)) {
        *at += HEADER + payload.len;
        return 1;
    }
    size_t next =
        state == FRAME_WHOLE ? *at + HEADER + payload.len : frame_search(bytes, *at, true);
    int rc = cw_err_set(err, CW_E_CORRUPT, "%zu bytes are no record", next - *at);
    *at = next;
    return rc;
}
