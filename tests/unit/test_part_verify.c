/* What verifying a part says of damage, and what salvaging saves of it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/block_writer.h"
#include "common/store/format.h"
#include "common/store/part_salvage.h"
#include "common/store/part_source.h"
#include "common/store/part_verify.h"
#include "common/store/section_kinds.h"
#include "tests/support/part_model.h"

static char dir[64], path[96];
static struct cw_err err;
static struct part_model model;
static struct cw_buf file;
static const int64_t day_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

struct told {
    size_t n;
    struct cw_part_damage first;
    char section[32], why[300];
    uint64_t entries;
    bool unknown;
};

static void on_damage(void *arg, const struct cw_part_damage *damage)
{
    struct told *told = arg;
    if (told->n++ == 0) {
        told->first = *damage;
        snprintf(told->section, sizeof(told->section), "%s", damage->section);
        snprintf(told->why, sizeof(told->why), "%s", damage->why);
    }
    told->entries += damage->cost.entries;
    told->unknown |= !damage->cost.known;
}

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-verify-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.part", dir);
    part_model_init(&model);
    cw_buf_init(&file, SIZE_MAX);
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
}

static void teardown(void)
{
    char command[100];
    part_model_fini(&model);
    cw_buf_fini(&file);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(part_verify, .init = setup, .fini = teardown);

static void write_and_read(void)
{
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
}

static void write_back(void)
{
    cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
}

static struct told verify(struct cw_part_verified *out)
{
    struct told told = {0};
    cw_part_verify_bytes(cw_buf_str(&file), on_damage, &told, out);
    cr_assert_eq(told.n, out->ndamages);
    return told;
}

static void three_blocks(void)
{
    size_t s = part_model_stream(&model, "{a=\"b\"}");
    for (size_t i = 0; i < 3 * CW_BLOCK_ROWS_MAX; i++)
        part_model_add(&model, s, (int64_t)i, CW_STR("a line of some length"), NULL);
    write_and_read();
}

static struct cw_part_block block_at(uint32_t i)
{
    struct cw_part_reader *reader;
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    struct cw_part_block block = cw_part_reader_block(reader, i);
    cw_part_reader_close(&reader);
    return block;
}

Test(part_verify, a_whole_part_is_clean)
{
    struct cw_part_verified out;
    part_model_fill(&model, 1, 300, 2000, day_ns);
    write_and_read();
    cr_assert_eq(verify(&out).n, 0);
    cr_assert(out.opens);
    cr_assert_eq(out.entries, model.n);
    cr_assert_gt(out.nblocks, 0);
}

Test(part_verify, any_flipped_byte_is_named_and_costs_what_is_lost, .timeout = 200)
{
    struct cw_part_verified out;
    part_model_fill(&model, 1, 6, 60, day_ns);
    write_and_read();
    size_t footer = file.len - CW_PART_FOOTER_BYTES;
    for (size_t i = 0; i < file.len; i++) {
        uint8_t was = (uint8_t)file.ptr[i];
        file.ptr[i] = (char)(was ^ 0x41);
        struct told told = verify(&out);
        bool unused = i >= 8 && i < CW_PART_HEADER_BYTES;
        cr_assert_eq(told.n > 0, !unused, "byte %zu of %zu", i, file.len);
        if (told.n > 0 && i < footer)
            cr_assert(told.first.off <= i && i < told.first.off + told.first.bytes,
                      "byte %zu: %s, bytes %lu, %lu: %s", i, told.section, told.first.off,
                      told.first.bytes, told.why);
        if (told.n > 0 && out.opens)
            cr_assert_eq(told.entries + out.entries, model.n, "byte %zu: %s", i, told.why);
        else if (told.n > 0)
            cr_assert(told.unknown || told.entries == model.n, "byte %zu: %s", i, told.why);
        file.ptr[i] = (char)was;
    }
}

Test(part_verify, a_part_cut_at_any_length_is_told)
{
    part_model_fill(&model, 2, 6, 60, day_ns);
    write_and_read();
    for (size_t cut = 0; cut < file.len; cut++) {
        struct cw_part_verified out;
        char *exact = malloc(cut + 1);
        memcpy(exact, file.ptr, cut);
        cw_part_verify_bytes(cw_str_make(exact, cut), NULL, NULL, &out);
        cr_assert_gt(out.ndamages, 0, "cut at %zu", cut);
        cr_assert_not(out.opens);
        free(exact);
    }
}

Test(part_verify, each_section_of_a_block_is_named)
{
    struct cw_part_verified out;
    part_model_fill(&model, 5, 20, 500, day_ns);
    write_and_read();
    struct cw_part_block b = block_at(0);
    struct cw_section_entry entry = {0};
    uint32_t n = 0;
    for (; cw_section_entry_next(cw_str_make(file.ptr + b.offset, b.bytes), n, &entry); n++) {
        char *at = (char *)entry.stored.ptr + entry.stored.len / 2;
        *at ^= 1;
        struct told told = verify(&out);
        cr_assert_gt(told.n, 0);
        cr_assert_str_eq(told.section, cw_section_kind_name(entry.kind));
        cr_assert_str_neq(told.section, "unknown");
        cr_assert_eq(told.first.block, 0);
        *at ^= 1;
    }
    cr_assert_gt(n, 2);
}

Test(part_verify, a_bad_block_is_all_that_a_salvaged_part_lacks)
{
    struct cw_part_verified out;
    three_blocks();
    struct cw_part_block second = block_at(1);
    file.ptr[second.offset + 40] ^= 1;
    struct told told = verify(&out);
    cr_assert_eq(out.nbad_blocks, 1);
    cr_assert_eq(told.first.block, 1);
    cr_assert_str_eq(told.section, "header");
    cr_assert_eq(told.entries, second.rows);
    cr_assert_eq(told.first.cost.min_ns, second.min_ns);
    cr_assert_eq(told.first.cost.max_ns, second.max_ns);
    write_back();
    cr_assert_eq(cw_part_salvage(path, &err), 0, "%s", err.text);
    cr_assert_eq(cw_part_verify(path, NULL, NULL, &out, &err), 0);
    cr_assert_eq(out.ndamages, 0);
    cr_assert_eq(out.entries, 3 * CW_BLOCK_ROWS_MAX - second.rows);
}

Test(part_verify, salvage_keeps_every_row_that_can_be_read_and_where_the_part_comes_from)
{
    part_model_fill(&model, 9, 300, 4000, day_ns);
    write_and_read();
    struct model_rows want = {0}, got = {0};
    model_rows_of_model(&model, &all_rows, &want);
    cr_assert_eq(cw_part_salvage(path, &err), 0, "%s", err.text);
    struct cw_source *source;
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0);
    cr_assert_eq(model_rows_of_source(source, &all_rows, &got, &err), 0);
    cr_assert(model_rows_equal(&got, &want));
    struct cw_part_info info = part_model_info(1);
    const struct cw_part_footer *f = cw_part_reader_footer(cw_part_source_reader(source));
    cr_assert_eq(f->info.id, info.id);
    cr_assert_eq(f->info.wal_last, info.wal_last);
    cr_assert_eq(f->info.flush_parts, info.flush_parts);
    cr_assert_eq(f->info.day, info.day);
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_source_unref(&source);
}

Test(part_verify, what_is_of_a_newer_version_is_told_from_damage)
{
    struct cw_part_verified out;
    part_model_fill(&model, 4, 2, 40, day_ns);
    write_and_read();
    char *header = file.ptr + block_at(0).offset;
    struct cw_str directory = {header + CW_BLOCK_HEADER_BYTES, cw_get32(header + 48)};
    header[4]++;
    verify(&out);
    cr_assert(out.opens && !out.newer); /* its checksum says that this is damage */
    cw_put64(header + 56, cw_block_checksum((uint8_t *)header, directory));
    cr_assert_gt(verify(&out).n, 0);
    cr_assert(out.opens && out.newer);
    char *footer = file.ptr + file.len - CW_PART_FOOTER_BYTES;
    cw_put32(footer + 16, 0x40);
    verify(&out);
    cr_assert(!out.opens && !out.newer);
    cw_put64(footer + 240, cw_hash64(footer, 240));
    verify(&out);
    cr_assert(!out.opens && out.newer);
}

Test(part_verify, a_part_of_which_nothing_can_be_read_is_left_as_it_is)
{
    part_model_fill(&model, 3, 2, 40, day_ns);
    write_and_read();
    file.ptr[block_at(0).offset + 40] ^= 1;
    write_back();
    cr_assert_eq(cw_part_salvage(path, &err), CW_E_CORRUPT);
    struct cw_buf after;
    cw_buf_init(&after, SIZE_MAX);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &after, &err), 0);
    cr_assert(cw_str_eq(cw_buf_str(&after), cw_buf_str(&file)));
    cw_buf_fini(&after);
}
