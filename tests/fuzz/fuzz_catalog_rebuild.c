/*
 * Bytes as a folder of parts, of flushes and merges that replace others, some of them damaged, below names of their own or others': the
 * catalog that is made again of it names parts that are there, each once and as it says itself, and none that another one replaces.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/catalog.h"
#include "common/store/part_reader.h"
#include "tests/support/part_repair.h"
#include "tests/support/part_seal.h"

enum { PARTS_MAX = 12, PART_BYTES = 8, REPLACED_MAX = 3 };

static struct cw_buf example; /* a part of one entry */
static char data_dir[96];

static void example_make(void)
{
    struct part_model model;
    struct cw_part_info info = part_model_info(1);
    struct cw_err err;
    char path[128];
    snprintf(path, sizeof(path), "%s/example", part_repair_folder());
    snprintf(data_dir, sizeof(data_dir), "%s/data", part_repair_folder());
    part_model_init(&model);
    part_model_add(&model, part_model_stream(&model, "{app=\"a\"}"), 1, CW_STR("line"), NULL);
    part_model_write(&model, path, &info);
    part_model_fini(&model);
    cw_buf_init(&example, SIZE_MAX);
    CW_ASSERT(cw_file_read(path, SIZE_MAX / 2, &example, &err) >= 0);
}

struct made {
    uint64_t id, file_id; /* what it says, and its name */
    uint64_t wal_last;
    uint64_t replaced[REPLACED_MAX];
    uint32_t nreplaced;
    bool gone; /* damaged, or written over */
};

/* The example with another origin and footer. */
static void part_make(const uint8_t *d, struct cw_buf *out, struct made *made)
{
    size_t origin = cw_get64(example.ptr + example.len - CW_PART_FOOTER_BYTES + 96 +
                             24 * (size_t)CW_REGION_ORIGIN);
    uint8_t footer[CW_PART_FOOTER_BYTES], number[8];
    memcpy(footer, example.ptr + example.len - sizeof(footer), sizeof(footer));
    *made = (struct made){.id = 1 + d[0] % 16, .nreplaced = d[1] % (REPLACED_MAX + 1)};
    made->file_id = (d[6] & 3) == 3 ? 1 + d[7] % 16 : made->id;
    made->wal_last = d[2] % 32 + d[3] % 8;
    for (uint32_t i = 0; i < made->nreplaced; i++)
        made->replaced[i] = 1 + (d[4] >> 2 * i) % 16;
    cw_buf_add(out, example.ptr, origin);
    cw_buf_add(out, "\1\0t", 3);
    cw_put32(number, made->nreplaced);
    cw_buf_add(out, number, 4);
    cw_buf_add(out, made->replaced, made->nreplaced * sizeof(*made->replaced));
    cw_put64(footer + 96 + 24 * CW_REGION_ORIGIN + 8, out->len - origin);
    footer[12] = d[1] >> 6;
    cw_put64(footer + 24, made->id);
    cw_put64(footer + 32, d[2] % 32);
    cw_put64(footer + 40, made->wal_last);
    cw_put32(footer + 92, d[5] % 4);
    cw_put64(footer + 216, d[5] % 4 == 0 ? 0 : 1 + d[5] / 4 % 16);
    cw_buf_add(out, footer, sizeof(footer));
    part_seal(out->ptr, out->len);
}

static void part_damage(const uint8_t *d, struct cw_buf *bytes, struct made *made)
{
    if (d[6] >> 6 == 1) {
        bytes->ptr[d[7] * bytes->len / 256] ^= 0x10;
        made->gone = true;
    } else if (d[6] >> 6 == 2) {
        bytes->len = d[7] * bytes->len / 256;
        made->gone = true;
    }
}

static int on_bad(void *arg, const char *path, const struct cw_err *why, struct cw_err *err)
{
    CW_ASSERT(why->code == CW_E_CORRUPT);
    ++*(size_t *)arg;
    return 0;
}

static bool is_replaced(const struct made *made, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < made[i].nreplaced; k++)
            if (!made[i].gone && made[i].id == made[i].file_id && made[i].replaced[k] == id)
                return true;
    return false;
}

/* Each part of the catalog opens where it should stand, and says the same. */
static void catalog_check(const struct cw_catalog *catalog, const struct made *made, size_t n)
{
    struct cw_buf path;
    struct cw_err err;
    cw_buf_init(&path, SIZE_MAX);
    for (size_t i = 0; i < catalog->n; i++) {
        const struct cw_catalog_part *part = &catalog->parts[i];
        struct cw_part_reader *reader;
        CW_ASSERT(i == 0 || part->id > catalog->parts[i - 1].id);
        CW_ASSERT(part->id < catalog->next_id && part->wal_last <= catalog->wal_flushed);
        CW_ASSERT(!is_replaced(made, n, part->id));
        cw_buf_clear(&path);
        cw_catalog_part_path(data_dir, part->tenant, part->day, part->id, &path);
        CW_ASSERT(cw_part_reader_open(cw_buf_z(&path), &reader, &err) == 0);
        CW_ASSERT(cw_catalog_part_is(part, cw_part_reader_footer(reader)));
        cw_part_reader_close(&reader);
    }
    cw_buf_fini(&path);
}

static void rebuild_check(const struct made *made, size_t n, uint64_t wal_oldest_seq)
{
    struct cw_catalog catalog, back;
    struct cw_buf text;
    struct cw_err err;
    size_t nbad = 0;
    CW_ASSERT(cw_catalog_rebuild(data_dir, wal_oldest_seq, on_bad, &nbad, &catalog, &err) == 0);
    CW_ASSERT(catalog.n + nbad <= n && catalog.nmissing == 0);
    catalog_check(&catalog, made, n);
    cw_buf_init(&text, SIZE_MAX);
    cw_catalog_format(&catalog, &text);
    CW_ASSERT(cw_catalog_parse(cw_buf_str(&text), &back, &err) == 0 && back.n == catalog.n);
    cw_catalog_fini(&back);
    cw_catalog_fini(&catalog);
    cw_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct made made[PARTS_MAX];
    struct cw_buf bytes, path;
    struct cw_err err;
    size_t n = 0;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    if (example.len == 0)
        example_make();
    if (size < 1)
        return 0;
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_init(&path, SIZE_MAX);
    cw_catalog_part_dir(data_dir, CW_STR("t"), 20000, &path);
    CW_ASSERT(cw_file_mkdirs(cw_buf_z(&path), &err) == 0);
    for (; n < PARTS_MAX && 1 + (n + 1) * PART_BYTES <= size; n++) {
        const uint8_t *d = data + 1 + n * PART_BYTES;
        cw_buf_clear(&bytes);
        part_make(d, &bytes, &made[n]);
        part_damage(d, &bytes, &made[n]);
        cw_buf_clear(&path);
        cw_catalog_part_path(data_dir, CW_STR("t"), 20000, made[n].file_id, &path);
        bool there = access(cw_buf_z(&path), F_OK) == 0;
        for (size_t k = 0; there && k < n; k++)
            if (made[k].file_id == made[n].file_id)
                made[k].gone = true;
        FILE *f = fopen(cw_buf_z(&path), "w");
        CW_ASSERT(f != NULL && fwrite(bytes.ptr, 1, bytes.len, f) == bytes.len && fclose(f) == 0);
    }
    rebuild_check(made, n, data[0]);
    rebuild_check(made, n, UINT64_MAX);
    for (size_t i = 0; i < n; i++) {
        cw_buf_clear(&path);
        cw_catalog_part_path(data_dir, CW_STR("t"), 20000, made[i].file_id, &path);
        (void)!cw_file_unlink(cw_buf_z(&path), &err);
    }
    cw_buf_fini(&bytes);
    cw_buf_fini(&path);
    return 0;
}
