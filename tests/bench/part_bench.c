/*
 * part_bench.c - how fast parts are written and searched. Not a test: run it by hand on a folder of logs.
 *
 *   build/tests/bench/part_bench FOLDER [zstd]    every *.log there (tests/bench/mkcorpus.py makes such): its lines belong to 8 hosts, times over a day
 *
 * zstd: blocks are compressed with it. CPU time of the thread, best of 3 writes and 5 scans, release build. One thread of two that
 * share a core of an Intel Xeon, other work beside it (spread +-20 %; `zstd -1` did 360 to 440 MB/s in the same minutes), 539 MB of
 * the 13-system corpus:
 *
 *   write, lz4: 3199574 lines -> 47.6 MB, 230 to 270 MB/s     zstd: 43.5 MB
 *   140 blocks of templates, 0 plain; MB: columns 36.7 (zstd 35.2), text 5.6 (3.4), value filters 2.6, rows 1.6 (1.3),
 *   times 0.6, small columns 0.3, headers 0.08, templates 0.02, streams under 0.01
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/match/line_filter.h"
#include "common/store/part_source.h"
#include "common/store/value_filter.h"
#include "ingester/merge_run.h"
#include "ingester/parts.h"

enum { HOSTS = 8, BATCH = 1024, DAY = 20458, MERGED_PARTS = 10 };

struct corpus {
    struct cw_buf text[64];
    char names[64][64];
    size_t n;
    uint64_t bytes, lines;
};

static void die(const struct cw_err *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void corpus_read(const char *dir, struct corpus *c)
{
    struct cw_file_names names;
    struct cw_err err;
    if (cw_file_list(dir, &names, &err) < 0)
        die(&err);
    for (size_t i = 0; i < names.n && c->n < 64; i++) {
        struct cw_str name = cw_str_of(names.names[i]);
        char path[512];
        if (!cw_str_ends(name, CW_STR(".log")))
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, names.names[i]);
        snprintf(c->names[c->n], sizeof(c->names[0]), "%.*s", (int)name.len - 4, name.ptr);
        cw_buf_init(&c->text[c->n], SIZE_MAX);
        if (cw_file_read(path, SIZE_MAX / 2, &c->text[c->n], &err) < 0)
            die(&err);
        c->bytes += c->text[c->n++].len;
    }
    cw_file_names_free(&names);
}

/* One host's lines of a system: line n belongs to host (n / 7) % 8. */
struct stream {
    struct cw_str *lines;
    int64_t *times;
    size_t n, cap;
};

static void stream_gather(const struct corpus *c, size_t system, struct stream streams[HOSTS])
{
    struct cw_str text = cw_buf_str(&c->text[system]), line;
    for (uint64_t n = 0; text.len > 0 && cw_str_split(&text, '\n', &line); n++) {
        struct stream *s = &streams[n / 7 % HOSTS];
        if (s->n == s->cap) {
            s->cap = s->cap ? 2 * s->cap : 1024;
            s->lines = cw_mem_resize(s->lines, s->cap * sizeof(*s->lines));
            s->times = cw_mem_resize(s->times, s->cap * sizeof(*s->times));
        }
        s->times[s->n] = INT64_C(1767571200000000000) + (int64_t)n * 200000000;
        s->lines[s->n++] = line;
    }
}

/* What a part has of each stream: the `at`th of `of` equal pieces. */
struct share {
    size_t at, of;
};

static void stream_write(struct cw_part_writer *w, const struct corpus *c, size_t system,
                         unsigned host, const struct stream *s, struct share share)
{
    size_t from = s->n * share.at / share.of, to = s->n * (share.at + 1) / share.of;
    uint64_t bytes = 0;
    char host_name[96];
    struct cw_err err;
    struct cw_label pairs[] = {{CW_STR("app"), cw_str_of(c->names[system])},
                               {CW_STR("env"), CW_STR("prod")},
                               {CW_STR("host"), CW_STR_NONE}};
    snprintf(host_name, sizeof(host_name), "%s-%u", c->names[system], host);
    pairs[2].value = cw_str_of(host_name);
    for (size_t i = from; i < to; i++)
        bytes += s->lines[i].len;
    if (cw_part_writer_stream(w, (struct cw_labels){pairs, 3}, to - from, bytes, &err) < 0)
        die(&err);
    for (size_t i = from; i < to; i += BATCH) {
        struct cw_entry_batch batch = {
            .n = to - i < BATCH ? to - i : BATCH, .ts_ns = s->times + i, .lines = s->lines + i};
        if (cw_part_writer_add(w, &batch, &err) < 0)
            die(&err);
    }
}

/* Returns the CPU seconds that it took. */
static double part_write(const struct corpus *c, const char *path, uint64_t id, struct share share,
                         enum cw_codec codec, uint64_t *lines_out, uint64_t *size_out)
{
    struct cw_part_info info = {.id = id,
                                .tenant = CW_STR("fake"),
                                .day = DAY,
                                .wal_first = id,
                                .wal_last = id,
                                .flush_parts = 1,
                                .flush_id = id};
    struct cw_part_writer *w;
    struct cw_err err;
    int64_t start, spent = 0;
    *lines_out = 0;
    if (cw_part_writer_new(path, &info, codec, &w, &err) < 0)
        die(&err);
    for (size_t i = 0; i < c->n; i++) {
        struct stream streams[HOSTS] = {0};
        stream_gather(c, i, streams);
        start = cw_clock_thread_cpu_ns();
        for (unsigned host = 0; host < HOSTS; host++)
            stream_write(w, c, i, host, &streams[host], share);
        spent += cw_clock_thread_cpu_ns() - start;
        for (unsigned host = 0; host < HOSTS; host++) {
            *lines_out += streams[host].n;
            free(streams[host].lines);
            free(streams[host].times);
        }
    }
    start = cw_clock_thread_cpu_ns();
    if (cw_part_writer_finish(w, size_out, &err) < 0)
        die(&err);
    cw_part_writer_free(&w);
    return (double)(spent + cw_clock_thread_cpu_ns() - start) / 1e9;
}

static void write_best(const struct corpus *c, const char *path, enum cw_codec codec)
{
    double best = 1e9;
    uint64_t lines = 0, size = 0;
    for (int i = 0; i < 3; i++) {
        double s = part_write(c, path, 1, (struct share){0, 1}, codec, &lines, &size);
        best = s < best ? s : best;
    }
    printf("write: %.1f MB, %llu lines -> %.1f MB, %.0f MB/s\n", (double)c->bytes / 1e6,
           (unsigned long long)lines, (double)size / 1e6, (double)c->bytes / 1e6 / best);
}

/* ---- merge ---- */

static void parts_write(const struct corpus *c, struct cw_parts *parts)
{
    struct cw_parts_change *change = cw_parts_change_new(parts);
    struct cw_err err;
    for (size_t i = 0; i < MERGED_PARTS; i++) {
        struct cw_buf path;
        uint64_t id, lines, size;
        cw_buf_init(&path, SIZE_MAX);
        if (cw_parts_new_path(parts, CW_STR("fake"), DAY, &id, &path, &err) < 0)
            die(&err);
        part_write(c, path.ptr, id, (struct share){i, MERGED_PARTS}, CW_CODEC_LZ4, &lines, &size);
        if (cw_parts_change_add(change, path.ptr, &err) < 0)
            die(&err);
        cw_buf_fini(&path);
    }
    if (cw_parts_commit(parts, change, &err) < 0)
        die(&err);
    cw_parts_lock(parts);
    cw_parts_publish(parts, change);
    cw_parts_unlock(parts);
    cw_parts_change_free(&change);
}

/* Lines of blocks that are not full, which are encoded anew. */
static uint64_t encoded_bytes(const struct cw_snapshot *all)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct cw_part_reader *reader = cw_part_source_reader(all->sources[i]);
        for (uint32_t b = 0; b < cw_part_reader_footer(reader)->nblocks; b++) {
            struct cw_part_block block = cw_part_reader_block(reader, b);
            bytes += cw_part_block_is_full(&block) ? 0 : block.raw_bytes;
        }
    }
    return bytes;
}

/* One merge of parts that have a piece of each stream's time; returns the CPU seconds that it took. */
static double merge(const struct corpus *c, enum cw_codec codec, uint64_t *encoded_out,
                    uint64_t *size_out)
{
    char dir[] = "/tmp/cw-bench-merge-XXXXXX", command[64];
    struct cw_parts *parts = NULL;
    struct cw_snapshot all = {0};
    struct cw_merge_run *run;
    struct cw_err err;
    if (mkdtemp(dir) == NULL ||
        cw_parts_open(&(struct cw_parts_options){.data_dir = dir}, &parts, &err) < 0)
        die(&err);
    parts_write(c, parts);
    cw_parts_all(parts, &all);
    *encoded_out = encoded_bytes(&all);
    int64_t start = cw_clock_thread_cpu_ns();
    int rc = cw_merge_run_new(parts, all.sources, all.n, codec, &run, &err);
    if (rc == 0)
        do
            rc = cw_merge_run_step(run, 10 * CW_NS_PER_MS, &err);
        while (rc == 1);
    if (rc < 0)
        die(&err);
    double s = (double)(cw_clock_thread_cpu_ns() - start) / 1e9;
    *size_out = cw_merge_run_bytes_out(run);
    cw_merge_run_free(&run);
    cw_snapshot_fini(&all);
    cw_parts_close(&parts);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", dir);
    return s;
}

static void merge_best(const struct corpus *c, enum cw_codec codec)
{
    double best = 1e9;
    uint64_t encoded = 0, size = 0;
    for (int i = 0; i < 3; i++) {
        double s = merge(c, codec, &encoded, &size);
        best = s < best ? s : best;
    }
    printf("merge of %d parts: %.1f MB of lines encoded anew, %.1f MB copied -> %.2f MB, %.0f ms, "
           "%.0f MB/s\n",
           MERGED_PARTS, (double)encoded / 1e6, (double)(c->bytes - encoded) / 1e6,
           (double)size / 1e6, best * 1e3, (double)c->bytes / 1e6 / best);
}

/* ---- scan ---- */

/* What the part's bytes are. */
static void sizes_print(struct cw_part_reader *reader)
{
    static const char *const names[16] = {
        [CW_SECTION_TEXT] = "text",
        [CW_SECTION_LENGTHS] = "lengths",
        [CW_SECTION_TIMES] = "times",
        [CW_SECTION_STREAMS] = "streams",
        [CW_SECTION_META] = "metadata",
        [CW_SECTION_TEMPLATES] = "templates",
        [CW_SECTION_ROWS] = "rows",
        [CW_SECTION_SMALL] = "small columns",
        [CW_SECTION_COLUMN] = "columns",
        [CW_SECTION_RAW] = "raw lines",
        [CW_SECTION_META_VALUES] = "values of metadata",
    };
    const struct cw_part_footer *footer = cw_part_reader_footer(reader);
    uint64_t stored[16] = {0}, raw[16] = {0}, filters = 0, heads = 0, kinds[2] = {0};
    for (uint32_t i = 0; i < footer->nblocks; i++) {
        struct cw_str block = cw_part_reader_block_bytes(reader, i);
        struct cw_value_filter filter;
        uint32_t dir_bytes = cw_get32(block.ptr + 48);
        if (cw_value_filter_open(cw_part_reader_block_filter(reader, i), &filter, NULL) == 0)
            filters += cw_value_filter_bytes(&filter);
        heads += CW_BLOCK_HEADER_BYTES + dir_bytes;
        kinds[block.ptr[6] & 1]++;
        for (uint32_t d = 0; d < dir_bytes; d += CW_BLOCK_SECTION_BYTES) {
            const char *entry = block.ptr + CW_BLOCK_HEADER_BYTES + d;
            raw[entry[0] & 15] += cw_get32(entry + 4);
            stored[entry[0] & 15] += cw_get32(entry + 8);
        }
    }
    printf("%llu blocks of templates, %llu plain; headers %.2f MB, value filters %.2f MB\n",
           (unsigned long long)kinds[CW_BLOCK_TEMPLATES], (unsigned long long)kinds[CW_BLOCK_PLAIN],
           (double)heads / 1e6, (double)filters / 1e6);
    for (int i = 0; i < 16; i++)
        if (names[i] != NULL && stored[i] > 0)
            printf("  %-14s %7.2f MB, decompressed %7.2f MB\n", names[i], (double)stored[i] / 1e6,
                   (double)raw[i] / 1e6);
}

static uint64_t scan_once(struct cw_source *source, const struct cw_scan *scan)
{
    struct cw_units units = {0};
    struct cw_err err;
    uint64_t rows = 0;
    if (source->ops->plan(source, scan, &units, &err) < 0)
        die(&err);
    for (size_t i = 0; i < units.n; i++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch batch;
        int rc = source->ops->open(source, scan, &units.items[i], &cursor, &err);
        while (rc >= 0 && (rc = cw_cursor_next(cursor, &batch, &err)) > 0)
            rows += batch.n;
        if (rc < 0)
            die(&err);
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    return rows;
}

static void scan(struct cw_source *source, const char *name, struct cw_scan what,
                 const char *literal, enum cw_filter_op op)
{
    struct cw_line_filter *filter = NULL;
    struct cw_err err;
    const struct cw_line_filter *filters[1];
    double best = 1e9,
           gb = (double)cw_part_reader_footer(cw_part_source_reader(source))->raw_bytes / 1e9;
    uint64_t rows = 0;
    if (literal != NULL) {
        if (cw_line_filter_new(op, &filter, &err) < 0 ||
            cw_line_filter_add(filter, cw_str_of(literal), 0, &err) < 0)
            die(&err);
        filters[0] = filter;
        what.filters = filters;
        what.nfilters = 1;
    }
    for (int i = 0; i < 5; i++) {
        int64_t start = cw_clock_thread_cpu_ns();
        rows = scan_once(source, &what);
        double s = (double)(cw_clock_thread_cpu_ns() - start) / 1e9;
        best = s < best ? s : best;
    }
    printf("%-40s %9llu rows  %7.1f ms  %6.2f GB/s\n", name, (unsigned long long)rows, best * 1e3,
           gb / best);
    cw_line_filter_free(&filter);
}

int main(int argc, char **argv)
{
    static struct corpus corpus;
    struct cw_source *source;
    struct cw_err err;
    char path[] = "/tmp/cw-bench-part-XXXXXX.part";
    if (argc < 2) {
        fprintf(stderr, "usage: build/tests/bench/part_bench FOLDER [zstd]\n");
        return 2;
    }
    enum cw_codec codec = argc > 2 ? CW_CODEC_ZSTD : CW_CODEC_LZ4;
    int fd = mkstemps(path, 5);
    if (fd < 0)
        return 1;
    corpus_read(argv[1], &corpus);
    write_best(&corpus, path, codec);
    merge_best(&corpus, codec);
    if (cw_part_source_open(path, NULL, &source, &err) < 0)
        die(&err);
    sizes_print(cw_part_source_reader(source));
    struct cw_scan whole = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
    struct cw_scan times = whole, lines = whole;
    times.need = CW_NEED_TIMES;
    lines.need = CW_NEED_TIMES | CW_NEED_LINES;
    scan(source, "count, no filter", whole, NULL, CW_FILTER_CONTAINS);
    scan(source, "times, no filter", times, NULL, CW_FILTER_CONTAINS);
    scan(source, "|= NEEDLE_hdfs_0, times", times, "NEEDLE_hdfs_0", CW_FILTER_CONTAINS);
    scan(source, "|= EEDLE_hdf, times", times, "EEDLE_hdf", CW_FILTER_CONTAINS);
    scan(source, "|= 10.0.3.209, times", times, "10.0.3.209", CW_FILTER_CONTAINS);
    scan(source, "|= absentword, times", times, "absentword", CW_FILTER_CONTAINS);
    scan(source, "|~ blk_-?[0-9]+7[0-9]{3} terminating", times, "blk_-?[0-9]+7[0-9]{3} terminating",
         CW_FILTER_RE);
    scan(source, "|= 8642086420 (digits of ids), times", times, "8642086420", CW_FILTER_CONTAINS);
    scan(source, "|= 17, times", times, "17", CW_FILTER_CONTAINS);
    scan(source, "|~ (GET|POST) /[a-z]+/.*(404|500)", times, "(GET|POST) /[a-z]+/.*(404|500)",
         CW_FILTER_RE);
    scan(source, "|= error, times", times, "error", CW_FILTER_CONTAINS);
    scan(source, "|~ (?i)exception, times", times, "(?i)exception", CW_FILTER_RE);
    scan(source, "!= info, times", times, "INFO", CW_FILTER_NOT_CONTAINS);
    scan(source, "all lines", lines, NULL, CW_FILTER_CONTAINS);
    cw_part_source_obsolete(source);
    cw_source_unref(&source);
    return 0;
}
