/* part_repair.c - what was read before is compared with what is read afterwards. */
#include "tests/support/part_repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/block_reader.h"
#include "common/store/part_mend.h"
#include "common/store/part_salvage.h"
#include "common/store/part_source.h"
#include "common/store/part_verify.h"

static char folder[64], path[96];

static void folder_remove(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", folder);
}

const char *part_repair_folder(void)
{
    if (folder[0] != '\0')
        return folder;
    strcpy(folder,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/cw-repair-XXXXXX" : "/tmp/cw-repair-XXXXXX");
    CW_ASSERT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/x.part", folder);
    atexit(folder_remove);
    return folder;
}

void part_repair_rows(struct cw_part_reader *reader, struct model_rows *rows)
{
    static const struct cw_scan scan = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    struct cw_err err;
    struct cw_source *source = cw_part_source_new(reader, NULL);
    CW_ASSERT(model_rows_of_any_source(source, &scan, rows, &err) == 0);
    model_rows_sort(rows);
    cw_source_unref(&source);
}

/* As fsck opens it. NULL: nothing of it can be read. */
static struct cw_part_reader *open_or_mend(struct cw_str bytes, const struct cw_part_info *known,
                                           struct cw_part_mended **mended)
{
    struct cw_part_reader *reader;
    struct cw_err err;
    uint64_t expected;
    *mended = NULL;
    if (cw_part_reader_open_bytes("bytes", bytes, &reader, &err) == 0)
        return reader;
    int rc = cw_part_mend_bytes("bytes", bytes, known, mended, &reader, &expected, &err);
    CW_ASSERT(rc == 0 || rc == CW_E_CORRUPT);
    return rc == 0 ? reader : NULL;
}

static void on_damage(void *arg, const struct cw_part_damage *damage)
{
    fprintf(stderr, "block %d, %s: %s\n", (int)damage->block, damage->section, damage->why);
}

/* The part at `path` is whole and has these rows. */
static void whole_check(struct model_rows *want)
{
    struct cw_part_verified verified;
    struct cw_part_reader *reader;
    struct model_rows got = {0};
    struct cw_err err;
    CW_ASSERT(cw_part_verify(path, on_damage, NULL, &verified, &err) == 0);
    CW_ASSERT(verified.opens && verified.ndamages == 0 && verified.entries == want->n);
    CW_ASSERT(cw_part_reader_open(path, &reader, &err) == 0);
    part_repair_rows(reader, &got);
    CW_ASSERT(model_rows_equal(&got, want));
    model_rows_fini(&got);
}

void part_repair_check(struct cw_str bytes, const struct cw_part_info *known,
                       const struct model_rows *all)
{
    struct cw_part_mended *mended;
    struct model_rows rows = {0};
    struct cw_err err;
    uint64_t written;
    part_repair_folder();
    struct cw_part_reader *reader = open_or_mend(bytes, known, &mended);
    if (reader != NULL)
        part_repair_rows(reader, &rows);
    cw_part_mended_free(&mended);
    CW_ASSERT(all == NULL || model_rows_within(&rows, all));
    reader = open_or_mend(bytes, known, &mended);
    if (reader != NULL) {
        int rc = cw_part_salvage_reader(reader, path, &written, &err);
        CW_ASSERT(rc == 0 || rc == CW_E_CORRUPT);
        CW_ASSERT(rc == 0 || all == NULL || rows.n == 0);
        if (rc == 0)
            whole_check(&rows);
        else
            CW_ASSERT(access(path, F_OK) < 0);
        if (rc == 0)
            CW_ASSERT(cw_file_unlink(path, NULL) == 0);
    }
    cw_part_mended_free(&mended);
    model_rows_fini(&rows);
}

/* ---- copies ---- */

/* A stream of one row before all others; then all of the part's. */
static int streams_begin(struct cw_part_writer *w, struct cw_part_reader *reader, uint32_t *numbers,
                         struct cw_err *err)
{
    const struct cw_label label = {CW_STR("!"), CW_STR("1")};
    const int64_t ts_ns = 0;
    const struct cw_str line = CW_STR("first");
    struct cw_labels first = {&label, 1};
    struct cw_entry_batch batch = {.n = 1, .ts_ns = &ts_ns, .lines = &line};
    struct cw_stream_pin pin = {0};
    const struct cw_part_stream *stream;
    int rc = cw_part_writer_stream(w, first, 1, line.len, err);
    if (rc == 0)
        rc = cw_part_writer_add(w, &batch, err);
    for (uint32_t i = 0; rc == 0 && i < cw_part_reader_footer(reader)->nstreams; i++) {
        rc = cw_part_reader_stream(reader, i, &pin, &stream, err);
        if (rc == 0)
            rc = cw_part_writer_stream(w, stream->ref.labels, stream->rows, stream->raw_bytes, err);
        numbers[i] = i + 1;
    }
    cw_stream_pin_fini(&pin);
    return rc;
}

static int blocks_copy(struct cw_part_writer *w, struct cw_part_reader *reader, uint32_t *numbers,
                       struct cw_err *err)
{
    struct cw_err why;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < cw_part_reader_footer(reader)->nblocks; i++) {
        bool whole = cw_block_check(cw_part_reader_block_bytes(reader, i), &why) == 0;
        rc = whole ? cw_part_writer_copy_block(w, reader, i, numbers, err)
                   : cw_part_writer_copy_damaged_block(w, reader, i, numbers, err);
    }
    return rc;
}

static int copy(struct cw_part_reader *reader, enum cw_codec codec, struct cw_err *err)
{
    const struct cw_part_footer *footer = cw_part_reader_footer(reader);
    uint32_t *numbers = cw_mem_array((size_t)footer->nstreams + 1, sizeof(*numbers));
    struct cw_part_writer *w;
    int rc = cw_part_writer_new(path, &footer->info, codec, &w, err);
    CW_ASSERT(rc == 0);
    rc = streams_begin(w, reader, numbers, err);
    if (rc == 0)
        rc = blocks_copy(w, reader, numbers, err);
    if (rc == 0)
        rc = cw_part_writer_finish(w, NULL, err);
    cw_part_writer_free(&w);
    free(numbers);
    return rc;
}

void part_copy_check(struct cw_str bytes, enum cw_codec codec)
{
    struct cw_part_reader *reader;
    struct model_rows rows = {0}, got = {0};
    struct cw_err err;
    part_repair_folder();
    if (cw_part_reader_open_bytes("bytes", bytes, &reader, &err) < 0)
        return;
    int rc = copy(reader, codec, &err);
    CW_ASSERT(rc == 0 || rc == CW_E_CORRUPT || rc == CW_E_LIMIT);
    part_repair_rows(reader, &rows);
    if (rc == 0) {
        CW_ASSERT(cw_part_reader_open(path, &reader, &err) == 0);
        part_repair_rows(reader, &got);
        CW_ASSERT(got.n == rows.n + 1 && model_rows_within(&rows, &got));
        CW_ASSERT(cw_file_unlink(path, NULL) == 0);
    }
    model_rows_fini(&rows);
    model_rows_fini(&got);
}
