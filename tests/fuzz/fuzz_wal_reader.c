/* fuzz_wal_reader.c - any bytes as a segment; a valid header is put in front where they have none, so that frames are reached. */
#include <stdlib.h>
#include "common/store/wal_reader.h"

static void read_all(struct cw_str bytes)
{
    struct cw_wal_reader *reader;
    struct cw_wal_next next;
    struct cw_err err = {0};
    enum cw_wal_event event;
    uint64_t at = 0, cut;
    if (cw_wal_reader_open_bytes(bytes, &reader, &err) < 0)
        return;
    while ((event = cw_wal_reader_next(reader, &next)) != CW_WAL_END) {
        /* Events cover the segment from its header on, in order, without overlap. */
        if (next.off < at || next.len == 0 || next.off + next.len > bytes.len)
            abort();
        at = next.off + next.len;
        if (event == CW_WAL_FRAME && next.frame.kind == CW_WAL_CHECKPOINT) {
            struct cw_arena *arena = cw_arena_new();
            struct cw_wal_checkpoint checkpoint;
            (void)!cw_wal_checkpoint_decode(next.frame.body, arena, &checkpoint, &err);
            cw_arena_free(&arena);
        }
    }
    if (cw_wal_reader_tail(reader, &cut).len + cut != bytes.len)
        abort();
    cw_wal_reader_close(&reader);
}

/* Checksums that hold: the fuzzer chooses the fields, this the frame around them. */
static void read_made(const uint8_t *data, size_t size)
{
    struct cw_wal_header header = {.segment = 1, .first_seq = 1};
    struct cw_wal_frame frame = {.kind = (enum cw_wal_kind)(1 + data[0] % 3),
                                 .seq = 1,
                                 .segment = 1,
                                 .last_seq = data[1],
                                 .body = cw_str_make(data + 2, size - 2),
                                 .tenant = cw_str_make(data + 2, (size - 2) / 3)};
    struct cw_buf bytes;
    cw_buf_init(&bytes, 64u << 20);
    cw_wal_header_encode(&header, &bytes);
    cw_wal_frame_encode(&frame, &bytes);
    cw_buf_adds(&bytes, frame.body);
    read_all(cw_buf_str(&bytes));
    cw_buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_wal_header header = {.segment = 1, .first_seq = 1};
    struct cw_buf bytes;
    if (size < 2)
        return 0;
    read_all(cw_str_make(data, size));
    cw_buf_init(&bytes, 64u << 20);
    cw_wal_header_encode(&header, &bytes);
    cw_buf_add(&bytes, data, size);
    read_all(cw_buf_str(&bytes));
    cw_buf_fini(&bytes);
    read_made(data, size);
    return 0;
}
