/*
 * Bytes as damages, as disks and crashes make them, to a part of several blocks: what `fsck --repair` makes of it is whole, has no entry that
 * the part did not have, and all that can be read of the damaged bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/part_reader.h"
#include "tests/support/part_repair.h"

enum { DAMAGES_MAX = 16, DAMAGE_BYTES = 5, SECTOR = 512, STREAMS = 6, MODELS = 5 };

static struct cw_part_info info;
static struct model_rows all;
static struct cw_buf part;

/* ---- the part ---- */

/* Blocks of all streams, one of them with many values of metadata, and two of one stream. */
static void model_fill(struct part_model *model, size_t i)
{
    static const size_t entries[MODELS] = {20, 280, 20, 10, 10};
    struct part_model some;
    part_model_init(&some);
    part_model_fill(&some, i, STREAMS, entries[i], INT64_C(1728000000000000000));
    for (size_t k = 0; k < some.n; k++) {
        struct model_entry e = some.entries[k];
        struct cw_buf labels;
        size_t stream = i < 3 ? k % STREAMS : i;
        cw_buf_init(&labels, SIZE_MAX);
        cw_labels_format(some.streams[stream], &labels);
        stream = part_model_stream(model, cw_buf_z(&labels));
        cw_buf_clear(&labels);
        cw_labels_format(e.metadata, &labels);
        part_model_add(model, stream, e.ts_ns, e.line, cw_buf_z(&labels));
        cw_buf_fini(&labels);
    }
    part_model_fini(&some);
}

static struct cw_part_reader *part_make(size_t i, const char *path)
{
    struct part_model model;
    struct cw_part_reader *reader;
    struct cw_err err;
    part_model_init(&model);
    model_fill(&model, i);
    part_model_write(&model, path, &info);
    part_model_fini(&model);
    CW_ASSERT(cw_part_reader_open(path, &reader, &err) == 0);
    return reader;
}

/* The streams of the first model with the totals of all; numbers of each model's. */
static void streams_begin(struct cw_part_writer *w, struct cw_part_reader **from,
                          uint32_t numbers[MODELS][STREAMS])
{
    struct cw_err err;
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct cw_stream_pin pin = {0}, other_pin = {0};
        const struct cw_part_stream *stream, *other;
        uint64_t rows = 0, bytes = 0;
        CW_ASSERT(cw_part_reader_stream(from[0], i, &pin, &stream, &err) == 0);
        for (size_t m = 0; m < MODELS; m++) {
            for (uint32_t k = 0; k < cw_part_reader_footer(from[m])->nstreams; k++) {
                CW_ASSERT(cw_part_reader_stream(from[m], k, &other_pin, &other, &err) == 0);
                if (!cw_labels_eq(other->ref.labels, stream->ref.labels))
                    continue;
                numbers[m][k] = i;
                rows += other->rows;
                bytes += other->raw_bytes;
            }
            cw_stream_pin_fini(&other_pin);
        }
        CW_ASSERT(cw_part_writer_stream(w, stream->ref.labels, rows, bytes, &err) == 0);
        cw_stream_pin_fini(&pin);
    }
}

static void part_merge(void)
{
    static const uint64_t replaced[] = {2, 3};
    struct cw_part_reader *from[MODELS], *reader;
    uint32_t numbers[MODELS][STREAMS];
    struct cw_part_writer *w;
    struct cw_err err;
    char path[128];
    snprintf(path, sizeof(path), "%s/part", part_repair_folder());
    info = part_model_info(9);
    for (size_t i = 0; i < MODELS; i++)
        from[i] = part_make(i, path);
    info.replaced = replaced;
    info.nreplaced = CW_COUNT(replaced);
    CW_ASSERT(cw_part_writer_new(path, &info, CW_CODEC_LZ4, &w, &err) == 0);
    streams_begin(w, from, numbers);
    for (size_t i = 0; i < MODELS; i++) {
        CW_ASSERT(cw_part_reader_footer(from[i])->nblocks == 1);
        CW_ASSERT(cw_part_writer_copy_block(w, from[i], 0, numbers[i], &err) == 0);
    }
    CW_ASSERT(cw_part_writer_finish(w, NULL, &err) == 0);
    cw_part_writer_free(&w);
    for (size_t i = 0; i < MODELS; i++)
        cw_part_reader_close(&from[i]);
    cw_buf_init(&part, SIZE_MAX);
    CW_ASSERT(cw_file_read(path, SIZE_MAX / 2, &part, &err) >= 0);
    CW_ASSERT(cw_part_reader_open_bytes("part", cw_buf_str(&part), &reader, &err) == 0);
    part_repair_rows(reader, &all);
}

/* ---- damages ---- */

/*
 * Nothing here can forge a checksum: bits that flipped, sectors that were never written or have what another has (smaller than any
 * block, so that none stands there twice), an end that is missing or that something follows.
 */
static void damage(const uint8_t *d, struct cw_buf *bytes)
{
    size_t at = cw_get16(d + 1) | (size_t)(d[3] & 3) << 16, arg = d[4];
    if (bytes->len == 0)
        return;
    at = d[3] & 4 ? bytes->len - 1 - at % CW_MIN(bytes->len, (size_t)1024) : at % bytes->len;
    size_t sector = at / SECTOR * SECTOR, from = arg * SECTOR % bytes->len / SECTOR * SECTOR;
    size_t len = CW_MIN((size_t)SECTOR, bytes->len - CW_MAX(sector, from));
    switch (d[0] % 6) {
    case 0:
    case 1: bytes->ptr[at] ^= (char)(arg != 0 ? arg : 1); break;
    case 2:
        memset(bytes->ptr + sector, 0, CW_MIN(arg * SECTOR + SECTOR, bytes->len - sector));
        break;
    case 3: memmove(bytes->ptr + sector, bytes->ptr + from, len); break;
    case 4: bytes->len = at; break;
    default:
        for (size_t i = 0; i < arg; i++)
            cw_buf_addc(bytes, bytes->ptr[at]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf bytes;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    if (part.len == 0)
        part_merge();
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_adds(&bytes, cw_buf_str(&part));
    for (size_t i = 0; i < DAMAGES_MAX && (i + 1) * DAMAGE_BYTES <= size; i++)
        damage(data + i * DAMAGE_BYTES, &bytes);
    part_repair_check(cw_buf_str(&bytes), &info, &all);
    part_copy_check(cw_buf_str(&bytes), size % 2 == 0 ? CW_CODEC_LZ4 : CW_CODEC_ZSTD);
    cw_buf_fini(&bytes);
    return 0;
}
