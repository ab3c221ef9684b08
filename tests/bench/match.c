/*
 * How fast line filters are: a text of log lines in a buffer that fits the cache and in one that does not, filters that hit
 * never, rarely and often. Prints GB/s of text, best of five.
 *
 *     build/tests/bench/match
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/match/line_filter.h"

struct corpus {
    char *text;
    uint32_t *offsets;
    uint64_t *keep;
    size_t nlines, bytes;
};

static struct corpus make_corpus(size_t bytes)
{
    struct corpus corpus = {.text = cw_mem_new(bytes + 512)};
    corpus.offsets = cw_mem_array(bytes / 64 + 2, sizeof corpus.offsets[0]);
    unsigned seed = 1;
    while (corpus.bytes < bytes) {
        corpus.offsets[corpus.nlines] = (uint32_t)corpus.bytes;
        corpus.bytes +=
            (size_t)sprintf(corpus.text + corpus.bytes,
                            "10.1.%d.%d - - [14/Mar/2026:10:%02d:%02d +0000] \"GET "
                            "/api/v1/items/%d HTTP/1.1\" %d %d "
                            "\"https://shop.example.net/\" \"Mozilla/5.0 (X11; Linux x86_64)\"%s",
                            rand_r(&seed) % 256, rand_r(&seed) % 256, rand_r(&seed) % 60,
                            rand_r(&seed) % 60, rand_r(&seed), rand_r(&seed) % 20 == 0 ? 500 : 200,
                            rand_r(&seed) % 100000, rand_r(&seed) % 20000 == 0 ? " EEDLE_hdf" : "");
        corpus.nlines++;
    }
    corpus.offsets[corpus.nlines] = (uint32_t)corpus.bytes;
    corpus.keep = cw_mem_array(corpus.nlines / 64 + 1, sizeof corpus.keep[0]);
    return corpus;
}

static void measure(const struct corpus *corpus, enum cw_filter_op op, const char *operand)
{
    struct cw_line_filter *filter;
    struct cw_err err;
    if (cw_line_filter_new(op, &filter, &err) < 0 ||
        cw_line_filter_add(filter, cw_str_of(operand), 0, &err) < 0)
        exit(1);
    double best = 0;
    size_t kept = 0, rounds = (64u << 20) / corpus->bytes + 1;
    for (int attempt = 0; attempt < 5; attempt++) {
        int64_t start_ns = cw_clock_thread_cpu_ns();
        for (size_t round = 0; round < rounds; round++) {
            memset(corpus->keep, 0xFF, (corpus->nlines / 64 + 1) * sizeof corpus->keep[0]);
            if (cw_line_filter_select(filter, corpus->text, corpus->offsets, corpus->nlines,
                                      corpus->keep, &err) < 0)
                exit(1);
        }
        double took = (double)(cw_clock_thread_cpu_ns() - start_ns);
        double speed = (double)(rounds * corpus->bytes) / took;
        best = speed > best ? speed : best;
    }
    for (size_t i = 0; i < corpus->nlines; i++)
        kept += corpus->keep[i / 64] >> (i % 64) & 1;
    static const char *const names[] = {"|=", "!=", "|~", "!~", "|>", "!>"};
    printf("%8.1f MiB  %s %-36s %7zu of %zu lines %7.2f GB/s\n", (double)corpus->bytes / 1048576,
           names[op], operand, kept, corpus->nlines, best);
    cw_line_filter_free(&filter);
}

int main(void)
{
    static const size_t sizes[] = {128u << 10, 128u << 20};
    for (size_t i = 0; i < 2; i++) {
        struct corpus corpus = make_corpus(sizes[i]);
        measure(&corpus, CW_FILTER_CONTAINS, "EEDLE_hdf");
        measure(&corpus, CW_FILTER_NOT_CONTAINS, "EEDLE_hdf");
        measure(&corpus, CW_FILTER_CONTAINS, "\" 500 ");
        measure(&corpus, CW_FILTER_CONTAINS, "GET");
        measure(&corpus, CW_FILTER_RE, "(?i)eedle_hdf");
        measure(&corpus, CW_FILTER_RE, "EEDLE|panic|OOM");
        measure(&corpus, CW_FILTER_RE, "EEDLE_[a-z]+");
        measure(&corpus, CW_FILTER_RE, "items/[0-9]+7 HTTP");
        measure(&corpus, CW_FILTER_RE, "\\b5[0-9]{2}\\b");
        measure(&corpus, CW_FILTER_RE, "[a-f]{9}");
        measure(&corpus, CW_FILTER_PATTERN, "<_> 500 <_>");
        free(corpus.text);
        free(corpus.offsets);
        free(corpus.keep);
    }
    return 0;
}
