/* Parts with wrong bytes: an error, the same rows, or fewer; never others, never a crash. And the example of this format. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/block_reader.h"
#include "common/store/format.h"
#include "common/store/listing.h"
#include "common/store/part_source.h"
#include "common/store/part_verify.h"
#include "common/store/value_filter.h"
#include "tests/support/part_model.h"
#include "tests/support/template_model.h"
#include "tests/support/part_seal.h"

static char dir[64], path[96];
static struct cw_err err;
static struct part_model model;
static struct cw_buf file;
static const int64_t day_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-damage-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.part", dir);
    part_model_init(&model);
    cw_buf_init(&file, SIZE_MAX);
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT); /* thousands of bad blocks */
}

static void teardown(void)
{
    char command[100];
    part_model_fini(&model);
    cw_buf_fini(&file);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(part_damage, .init = setup, .fini = teardown);

static void write_and_read(void)
{
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
}

/* Everything that a reader does with `bytes`: the rows are those of the model, or fewer. Returns whether it said that
 * something is wrong. */
static bool check_bytes(struct cw_str bytes, const struct model_rows *want)
{
    struct cw_part_reader *reader;
    if (cw_part_reader_open_bytes("bytes", bytes, &reader, &err) < 0) {
        cr_assert_eq(err.code, CW_E_CORRUPT, "%s", err.text);
        return true;
    }
    struct cw_source *source = cw_part_source_new(reader, NULL);
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    struct model_rows got = {0};
    scan.stats = &stats;
    int rc = model_rows_of_source(source, &scan, &got, &err);
    cr_assert(rc == 0 || rc == CW_E_CORRUPT);
    model_rows_sort(&got);
    cr_assert(model_rows_within(&got, want));
    bool said = rc < 0 || atomic_load(&stats.corrupt_blocks) > 0;
    cr_assert(said || got.n == want->n, "rows are missing in silence");
    cr_assert_eq(cw_part_source_has_bad_blocks(source), atomic_load(&stats.corrupt_blocks) > 0);
    model_rows_fini(&got);
    cw_source_unref(&source);
    /* A scan of all reads no postings. */
    struct cw_part_verified verified;
    cw_part_verify_bytes(bytes, NULL, NULL, &verified);
    return said || verified.ndamages > 0;
}

Test(part_damage, any_flipped_byte_is_noticed, .timeout = 100)
{
    part_model_fill(&model, 1, 6, 60, day_ns);
    write_and_read();
    struct model_rows want = {0};
    model_rows_of_model(&model, &all_rows, &want);
    model_rows_sort(&want);
    cr_assert_not(check_bytes(cw_buf_str(&file), &want));
    for (size_t i = 0; i < file.len; i++) {
        for (int change = 0; change < 3; change++) {
            uint8_t was = (uint8_t)file.ptr[i];
            file.ptr[i] = (char)(change == 0 ? was ^ 0xff : change == 1 ? was ^ 1 : was ^ 0x80);
            bool said = check_bytes(cw_buf_str(&file), &want);
            /* The header's version and padding are not used. */
            cr_assert(said || (i >= 8 && i < CW_PART_HEADER_BYTES), "byte %zu of %zu", i, file.len);
            file.ptr[i] = (char)was;
        }
    }
    model_rows_fini(&want);
}

Test(part_damage, a_part_cut_at_any_length_is_refused)
{
    part_model_fill(&model, 2, 6, 60, day_ns);
    write_and_read();
    struct model_rows want = {0};
    for (size_t cut = 0; cut < file.len; cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, file.ptr, cut);
        cr_assert(check_bytes(cw_str_make(exact, cut), &want), "cut at %zu", cut);
        free(exact);
    }
}

Test(part_damage, wrong_bytes_with_right_checksums_do_no_harm, .timeout = 100)
{
    part_model_fill(&model, 3, 300, 600, day_ns);
    write_and_read();
    const char *footer = file.ptr + file.len - CW_PART_FOOTER_BYTES;
    size_t from = cw_get64(footer + 96 + 24 * CW_REGION_BLOCKS), to = file.len - 16;
    uint64_t state = 5;
    for (size_t i = from; i < to; i++) {
        char was[8], *at = file.ptr + i;
        size_t n = CW_MIN((size_t)8, to - i);
        memcpy(was, at, n);
        switch (part_model_random(&state) % 4) {
        case 0: *at ^= (char)(1 << part_model_random(&state) % 8); break;
        case 1: memset(at, 0xff, n); break;
        case 2: memset(at, 0, n); break;
        default: *at = (char)part_model_random(&state); break;
        }
        part_seal(file.ptr, file.len);
        struct cw_part_reader *reader;
        if (cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err) == 0) {
            struct cw_source *source = cw_part_source_new(reader, NULL);
            struct model_rows got = {0};
            int rc = model_rows_of_source(source, &all_rows, &got, &err);
            cr_assert(rc == 0 || rc == CW_E_CORRUPT, "%s", err.text);
            cr_assert_leq(got.n, 2 * model.n); /* a block may be named twice */
            model_rows_fini(&got);
            cw_source_unref(&source);
        }
        memcpy(at, was, n);
    }
}

Test(part_damage, a_bad_block_costs_that_block)
{
    size_t s = part_model_stream(&model, "{a=\"b\"}");
    for (size_t i = 0; i < 3 * CW_BLOCK_ROWS_MAX; i++)
        part_model_add(&model, s, (int64_t)i, CW_STR("a line of some length"), NULL);
    write_and_read();
    struct cw_part_reader *reader;
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    cr_assert_eq(cw_part_reader_footer(reader)->nblocks, 3);
    struct cw_part_block second = cw_part_reader_block(reader, 1);
    file.ptr[second.offset + 40] ^= 1; /* its header */
    struct cw_source *source = cw_part_source_new(reader, NULL);
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    struct model_rows got = {0};
    scan.stats = &stats;
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0);
    cr_assert_eq(got.n, 2 * CW_BLOCK_ROWS_MAX);
    cr_assert_eq(atomic_load(&stats.corrupt_blocks), 1);
    model_rows_fini(&got);
    cw_source_unref(&source);
}

static struct cw_source *source_of_file(void)
{
    struct cw_part_reader *reader;
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0, "%s",
                 err.text);
    return cw_part_source_new(reader, NULL);
}

Test(part_damage, bad_postings_cost_nothing)
{
    part_model_fill(&model, 5, 700, 5000, day_ns);
    write_and_read();
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("env"), CW_STR("dev"), &err), 0);
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    scan.selector = &selector;
    scan.stats = &stats;
    struct model_rows want = {0}, got = {0};
    model_rows_of_model(&model, &scan, &want);
    cr_assert_gt(want.n, 0);
    struct cw_str region = part_seal_region(file.ptr, file.len, CW_REGION_POSTINGS);
    struct cw_postings postings;
    uint32_t nstreams = cw_get32(file.ptr + file.len - CW_PART_FOOTER_BYTES + 84);
    cr_assert_eq(cw_postings_open(region, nstreams, CW_POSTINGS_FENCED, &postings, &err), 0);
    for (uint32_t i = 0; i < postings.nchunks; i++) {
        const char *entry = postings.chunks + (size_t)i * CW_POSTINGS_CHUNK_BYTES;
        ((char *)region.ptr)[cw_get64(entry) + cw_get32(entry + 12) - 1] ^= 1;
    }
    struct cw_source *source = source_of_file();
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
    cr_expect(model_rows_equal(&got, &want));
    cr_expect_gt(atomic_load(&stats.corrupt_blocks), 0, "it is told");
    cr_expect(cw_part_source_has_bad_blocks(source), "it is not merged");
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_selector_fini(&selector);
    cw_source_unref(&source);
}

Test(part_damage, a_bad_group_of_labels_costs_its_streams)
{
    part_model_fill(&model, 6, 700, 5000, day_ns);
    write_and_read();
    struct cw_str region = part_seal_region(file.ptr, file.len, CW_REGION_STREAMS);
    const char *second = region.ptr + CW_PART_GROUP_ENTRY_BYTES;
    ((char *)region.ptr)[cw_get64(second)] ^= 1;
    struct cw_source *source = source_of_file();
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    scan.stats = &stats;
    struct model_rows want = {0}, got = {0};
    model_rows_of_model(&model, &scan, &want);
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
    model_rows_sort(&want);
    model_rows_sort(&got);
    cr_expect(got.n > 0 && got.n < want.n);
    cr_expect(model_rows_within(&got, &want));
    cr_expect_gt(atomic_load(&stats.corrupt_blocks), 0, "it is told");
    struct cw_listing listing = {
        .what = CW_LIST_STREAMS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
    struct cw_list_cursor *cursor;
    struct cw_list_item item;
    unsigned n = 0;
    cr_assert_eq(source->ops->list(source, &listing, &cursor, &err), 0);
    while (cw_list_cursor_next(cursor, &item, &err) > 0)
        n++;
    cw_list_cursor_close(&cursor);
    cr_expect_eq(n, cw_part_reader_footer(cw_part_source_reader(source))->nstreams -
                        CW_PART_STREAM_GROUP);
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_source_unref(&source);
}

Test(part_damage, newer_versions_and_unknown_features_are_refused_by_name)
{
    part_model_fill(&model, 4, 2, 10, day_ns);
    write_and_read();
    struct cw_part_reader *reader;
    char *footer = file.ptr + file.len - CW_PART_FOOTER_BYTES;
    cw_put16(footer + 8, CW_PART_MAJOR + 1);
    part_seal(file.ptr, file.len);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err),
                 CW_E_CORRUPT);
    cr_assert_not_null(strstr(err.text, "newer than"));
    cw_put16(footer + 8, CW_PART_MAJOR);
    cw_put32(footer + 16, 0x40);
    part_seal(file.ptr, file.len);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err),
                 CW_E_CORRUPT);
    cr_assert_not_null(strstr(err.text, "features 0x40"));
    cw_put32(footer + 16, 0);
    cw_put32(footer + 20, 0x40); /* compat: ignored */
    cw_put16(footer + 10, 99);   /* minor: too */
    part_seal(file.ptr, file.len);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    cw_part_reader_close(&reader);
}

/* What the examples in tests/data hold. CW_MAKE_EXAMPLE=<its name> writes one: only when the format's version changes. */
static void example_fill(void)
{
    part_model_fill(&model, 2026, 12, 400, day_ns);
    part_model_add(&model, part_model_stream(&model, "{app=\"web\", env=\"prod\"}"), day_ns,
                   CW_STR("the first line"), "{k=\"v\"}");
}

/* Reads as the model says, whole and by selector; returns the source. */
static struct cw_source *example_read(const char *name)
{
    char example[512];
    const char *data = getenv("CW_TEST_DATA");
    cr_assert_not_null(data, "CW_TEST_DATA names tests/data");
    snprintf(example, sizeof(example), "%s/%s", data, name);
    if (getenv("CW_MAKE_EXAMPLE") != NULL && strcmp(getenv("CW_MAKE_EXAMPLE"), name) == 0) {
        struct cw_part_info info = part_model_info(1);
        part_model_write(&model, example, &info);
    }
    struct cw_source *source;
    cr_assert_eq(cw_part_source_open(example, NULL, &source, &err), 0, "%s", err.text);
    struct cw_part_verified verified;
    cr_assert_eq(cw_part_verify(example, NULL, NULL, &verified, &err), 0);
    cr_assert_eq(verified.ndamages, 0);
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("env"), CW_STR("prod"), &err), 0);
    struct cw_scan scans[] = {all_rows, all_rows};
    scans[1].selector = &selector;
    for (size_t i = 0; i < CW_COUNT(scans); i++) {
        struct model_rows want = {0}, got = {0};
        model_rows_of_model(&model, &scans[i], &want);
        cr_assert_gt(want.n, 0);
        cr_assert_eq(model_rows_of_source(source, &scans[i], &got, &err), 0);
        cr_assert(model_rows_equal(&got, &want), "%s", name);
        model_rows_fini(&want);
        model_rows_fini(&got);
    }
    cw_selector_fini(&selector);
    return source;
}

Test(part_damage, the_example_of_format_1_is_read_as_it_was_written)
{
    example_fill();
    struct cw_source *source = example_read("part_v1.part");
    cw_source_unref(&source);
}

/* What tests/data/part_v1_1.part holds beside that: enough of one app for a block of templates with all kinds of values. */
static void example_templates_fill(void)
{
    uint64_t state = 11;
    size_t stream = part_model_stream(&model, "{app=\"shop\", env=\"prod\"}");
    for (int i = 0; i < 600; i++) {
        char line[400];
        uint64_t r = part_model_random(&state), s = part_model_random(&state);
        int n = snprintf(line, sizeof(line),
                         "2026-01-%02u %02u:%02u:%02u,%03u from 10.0.%u.%u %s item_%u ok=%u.%02u",
                         (unsigned)(r % 28 + 1), (unsigned)(r % 24), (unsigned)(r % 60),
                         (unsigned)(r % 59), (unsigned)(r % 1000), (unsigned)(r % 3),
                         (unsigned)(r % 250), r % 2 ? "GET" : "PUT", (unsigned)(r % 90),
                         (unsigned)(r % 50), (unsigned)(s % 100));
        snprintf(line + n, sizeof(line) - (size_t)n,
                 " trace=%016llx%016llx at 12:00:0%u.125 %08x-1234-4567-89ab-%012llx a%uf%u%s",
                 (unsigned long long)r, (unsigned long long)s, (unsigned)(r % 10),
                 (unsigned)(r % 7 + 1) * 1000001, (unsigned long long)s % 5 + 1, (unsigned)(r % 90),
                 (unsigned)(s % 100000), i % 200 ? "" : " \x01");
        part_model_add(&model, stream, day_ns + (int64_t)i * 1000000, cw_str_of(line),
                       i % 10 ? NULL : "{user=\"u1\"}");
    }
}

/* More names of metadata than a block takes, and behind them noise: a second block, a plain one. */
static void noise_fill(void)
{
    uint64_t state = 8;
    size_t many = part_model_stream(&model, "{app=\"x\"}"),
           noise = part_model_stream(&model, "{app=\"y\"}");
    for (unsigned i = 0; i < CW_BLOCK_META_NAMES_TARGET + 50; i++) {
        char metadata[32];
        snprintf(metadata, sizeof(metadata), "{n%u=\"v\"}", i);
        part_model_add(&model, many, day_ns + i, CW_STR("a line"), metadata);
    }
    for (unsigned i = 0; i < 300; i++) {
        char line[40];
        for (size_t k = 0; k < sizeof(line); k++)
            line[k] = (char)part_model_random(&state);
        char metadata[64]; /* ids, which have a block of values in the plain one */
        snprintf(metadata, sizeof(metadata), "{trace_id=\"%016llx%016llx\"}",
                 (unsigned long long)part_model_random(&state),
                 (unsigned long long)part_model_random(&state));
        part_model_add(&model, noise, day_ns + i, cw_str_make(line, sizeof(line)), metadata);
    }
}

/* A part whose first block is one of templates; returns the file's block. */
static struct cw_part_block templates_write(void)
{
    example_templates_fill();
    write_and_read();
    struct cw_part_reader *reader;
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    struct cw_part_block block = cw_part_reader_block(reader, 0);
    cw_part_reader_close(&reader);
    cr_assert_eq(file.ptr[block.offset + 6], CW_BLOCK_TEMPLATES);
    return block;
}

Test(part_damage, any_flipped_byte_of_a_block_of_templates_is_noticed, .timeout = 100)
{
    struct cw_part_block block = templates_write();
    struct model_rows want = {0};
    model_rows_of_model(&model, &all_rows, &want);
    model_rows_sort(&want);
    cr_assert_not(check_bytes(cw_buf_str(&file), &want));
    for (size_t i = block.offset; i < block.offset + block.bytes; i += 7) {
        file.ptr[i] ^= (char)(1 << i % 8);
        cr_assert(check_bytes(cw_buf_str(&file), &want), "byte %zu of %zu", i, file.len);
        file.ptr[i] ^= (char)(1 << i % 8);
    }
    model_rows_fini(&want);
}

Test(part_damage, a_part_of_templates_cut_at_every_512th_byte_is_refused)
{
    templates_write();
    struct model_rows none = {0};
    for (size_t cut = 0; cut < file.len; cut += 512) {
        char *exact = malloc(cut + 1);
        memcpy(exact, file.ptr, cut);
        cr_assert(check_bytes(cw_str_make(exact, cut), &none), "cut at %zu", cut);
        free(exact);
    }
}

/* Rows that a scan gives, all of them such as the model has; at least `least`, and what is missing is told. */
static void check_loss(const struct model_rows *want, size_t least, const char *section, size_t at)
{
    struct cw_part_reader *reader;
    struct cw_scan_stats stats = {0};
    struct model_rows got = {0};
    struct cw_scan scan = all_rows;
    scan.stats = &stats;
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0,
                 "%s, byte %zu: %s", section, at, err.text);
    struct cw_source *source = cw_part_source_new(reader, NULL);
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s, byte %zu: %s", section,
                 at, err.text);
    model_rows_sort(&got);
    cr_assert(model_rows_within(&got, want), "%s, byte %zu", section, at);
    cr_assert_geq(got.n, least, "%s, byte %zu: rows of other blocks are lost", section, at);
    cr_assert(got.n == want->n || atomic_load(&stats.corrupt_blocks) == 1, "%s, byte %zu", section,
              at);
    model_rows_fini(&got);
    cw_source_unref(&source);
}

/* The first bytes of a section, and some of each piece of the rest. */
static size_t next_place(size_t i)
{
    return i < 8 ? i + 1 : i + 1 + i / 4;
}

/* Every section of every block, header and directory too. Returns a bit for each kind of section that was met. */
static uint32_t flip_sections(const struct cw_part_block *block, const struct model_rows *want)
{
    char *bytes = file.ptr + block->offset;
    uint32_t dir_bytes = cw_get32(bytes + 48), kinds = 0;
    size_t at = CW_BLOCK_HEADER_BYTES + dir_bytes, least = want->n - block->rows;
    for (size_t i = 0; i < at; i = next_place(i)) {
        bytes[i] ^= 0x10;
        check_loss(want, least, "header and directory", i);
        bytes[i] ^= 0x10;
    }
    for (uint32_t d = 0; d < dir_bytes; d += CW_BLOCK_SECTION_BYTES) {
        const char *entry = bytes + CW_BLOCK_HEADER_BYTES + d;
        size_t stored = cw_get32(entry + 8);
        unsigned kind = entry[0] & ~CW_SECTION_OPTIONAL & 0xff;
        for (size_t i = 0; i < stored; i = next_place(i)) {
            bytes[at + i] ^= 0x10;
            check_loss(want, least, "a section", i);
            bytes[at + i] ^= 0x10;
        }
        kinds |= 1u << kind;
        at += stored;
    }
    cr_assert_eq(at, block->bytes);
    return kinds;
}

Test(part_damage, a_flipped_byte_of_any_section_costs_its_block_at_most, .timeout = 100)
{
    example_fill();
    noise_fill();
    templates_write();
    struct model_rows want = {0};
    model_rows_of_model(&model, &all_rows, &want);
    model_rows_sort(&want);
    struct cw_part_reader *reader;
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    uint32_t kinds = 0, n = cw_part_reader_footer(reader)->nblocks;
    cr_assert_geq(n, 2);
    for (uint32_t i = 0; i < n; i++) {
        struct cw_part_block block = cw_part_reader_block(reader, i);
        kinds |= flip_sections(&block, &want);
    }
    cw_part_reader_close(&reader);
    for (unsigned kind = CW_SECTION_TEXT; kind <= CW_SECTION_META_VALUES; kind++)
        cr_expect(kinds >> kind & 1, "no block has a section of kind %u", kind);
    model_rows_fini(&want);
}

Test(part_damage, wrong_templates_with_right_checksums_do_no_harm, .timeout = 100)
{
    struct cw_part_block block = templates_write();
    uint64_t state = 6;
    char *bytes = file.ptr + block.offset, *was = malloc(block.bytes);
    memcpy(was, bytes, block.bytes);
    for (size_t i = 0; i < block.bytes; i += 3) {
        size_t n = CW_MIN((size_t)8, block.bytes - i);
        if (part_model_random(&state) % 2 == 0)
            bytes[i] ^= (char)(1 << part_model_random(&state) % 8);
        else
            memset(bytes + i, part_model_random(&state) % 2 == 0 ? 0xff : 0, n);
        template_model_reseal(bytes, block.bytes);
        struct cw_part_reader *reader;
        cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
        struct cw_source *source = cw_part_source_new(reader, NULL);
        struct model_rows got = {0};
        int rc = model_rows_of_source(source, &all_rows, &got, &err);
        cr_assert(rc == 0 || rc == CW_E_CORRUPT, "%s", err.text);
        cr_assert_leq(got.n, model.n);
        model_rows_fini(&got);
        cw_source_unref(&source);
        memcpy(bytes, was, block.bytes);
    }
    free(was);
}

/* What tests/data/part_v1_2.part holds beside that: a name of a few values in every row, another in some. */
Test(part_damage, the_example_with_dictionaries_of_metadata_is_read_as_it_was_written)
{
    static const char *const metadata[] = {"{detected_level=\"info\"}",
                                           "{detected_level=\"error\"}",
                                           "{detected_level=\"info\", zone=\"a\"}"};
    example_fill();
    size_t stream = part_model_stream(&model, "{app=\"levels\", env=\"prod\"}");
    for (int i = 0; i < 500; i++)
        part_model_add(&model, stream, day_ns + (int64_t)i * 1000000, CW_STR("a line"),
                       metadata[i * i % 3]);
    struct cw_source *source = example_read("part_v1_2.part");
    struct cw_part_reader *reader = cw_part_source_reader(source);
    bool has = false;
    for (uint32_t i = 0; i < cw_part_reader_footer(reader)->nblocks; i++)
        has |= cw_get32(cw_part_reader_block_bytes(reader, i).ptr + 8) ==
               CW_BLOCK_INCOMPAT_META_DICTIONARY;
    cr_expect(has);
    cw_source_unref(&source);
}

/* What tests/data/part_v1_3.part holds beside that of 1.1: ids, each once or several times, words and numbers; and a plain block. */
static void example_values_fill(void)
{
    size_t stream = part_model_stream(&model, "{app=\"ids\", env=\"prod\"}");
    uint64_t state = 11;
    for (unsigned i = 0; i < 800; i++) {
        char metadata[300];
        uint64_t r = part_model_random(&state), s = part_model_random(&state);
        snprintf(metadata, sizeof(metadata),
                 "{span_id=\"%016llx\", trace_id=\"%016llx%016llx\", user=\"%c%c.%c%c\", "
                 "ms=\"%u.%03u\"%s}",
                 (unsigned long long)r, (unsigned long long)(i / 7 + 1) * 0x123456789abcdefULL,
                 (unsigned long long)(i / 7) * 0xfedcba987654321ULL, (char)('a' + r % 26),
                 (char)('a' + s % 26), (char)('a' + r % 3), (char)('a' + s % 3),
                 (unsigned)(s % 900), (unsigned)(r % 1000), i % 5 ? "" : ", zone=\"a\"");
        part_model_add(&model, stream, day_ns + (int64_t)i * 1000000, CW_STR("a line"), metadata);
    }
    noise_fill();
}

Test(part_damage, the_example_with_values_of_metadata_in_blocks_is_read_as_it_was_written)
{
    example_fill();
    example_templates_fill();
    example_values_fill();
    struct cw_source *source = example_read("part_v1_3.part");
    struct cw_part_reader *reader = cw_part_source_reader(source);
    static struct cw_block block;
    uint32_t values = 0, plain = 0;
    for (uint32_t i = 0; i < cw_part_reader_footer(reader)->nblocks; i++) {
        struct cw_value_filter filter;
        struct cw_str bytes = cw_part_reader_block_bytes(reader, i);
        cr_assert_eq(cw_block_open(bytes, &block, &err), 0, "%s", err.text);
        if (block.nmeta_values == 0)
            continue;
        cr_expect(cw_get32(bytes.ptr + 8) & CW_BLOCK_INCOMPAT_META_VALUES);
        cr_assert_eq(cw_value_filter_open(cw_part_reader_block_filter(reader, i), &filter, &err),
                     0);
        values += block.nmeta_values;
        plain += block.kind == CW_BLOCK_PLAIN;
        if (block.kind == CW_BLOCK_PLAIN)
            continue;
        cr_expect(
            cw_value_filter_may_hold(&filter, cw_value_key(CW_SLOT_HEX32, 0x123456789abcdefULL * 11,
                                                           0xfedcba987654321ULL * 10)));
        cr_expect_not(cw_value_filter_may_hold(
            &filter, cw_value_key(CW_SLOT_HEX32, 0x123456789abcdefULL * 11, 1)));
    }
    cr_expect_geq(values, 4);
    cr_expect_eq(plain, 1);
    cw_source_unref(&source);
}

Test(part_damage, the_example_with_blocks_of_templates_is_read_as_it_was_written)
{
    example_fill();
    example_templates_fill();
    struct cw_source *source = example_read("part_v1_1.part");
    struct cw_part_reader *reader = cw_part_source_reader(source);
    uint32_t nblocks = cw_part_reader_footer(reader)->nblocks, templates = 0;
    for (uint32_t i = 0; i < nblocks; i++) {
        struct cw_value_filter filter;
        if (cw_part_reader_block_bytes(reader, i).ptr[6] != CW_BLOCK_TEMPLATES)
            continue;
        templates++;
        cr_assert_eq(cw_value_filter_open(cw_part_reader_block_filter(reader, i), &filter, &err),
                     0);
        cr_assert(cw_value_filter_may_hold(&filter, cw_value_key(CW_SLOT_IP4, 0, 0x0a000101)));
    }
    cr_assert_gt(templates, 0);
    cw_source_unref(&source);
}
