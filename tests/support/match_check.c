/*
 * match_check - random line filters against blocks of templates: every answer is compared with the lines'.
 *
 *     match_check QUERIES SEED FILE...
 *
 * Each file is cut into blocks of random sizes. Exit status 0: no difference; 1: the first is printed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "tests/support/match_model.h"
#include "tests/support/part_model.h"

enum { LINES_MIN = 50, LINES_SPREAD = 4000, FILE_BYTES_MAX = 1 << 30 };

static struct match_counts counts;
static uint64_t state;

/* A block of the next lines; what is left of the text stays in *rest. */
static struct match_model *next_block(struct cw_str *rest)
{
    size_t want = LINES_MIN + part_model_random(&state) % LINES_SPREAD, n = 0, bytes = 0;
    struct cw_str *lines = cw_mem_array(want, sizeof(*lines)), line;
    while (n < want && rest->len > 0 && cw_str_split(rest, '\n', &line)) {
        lines[n++] = line;
        bytes += line.len;
        if (bytes > CW_BLOCK_RAW_TARGET / 2)
            break;
    }
    struct match_model *m = match_model_new(lines, n);
    free(lines);
    return m;
}

static bool check_file(const char *path, uint64_t queries)
{
    struct cw_err err;
    struct cw_buf text, wrong;
    cw_buf_init(&text, FILE_BYTES_MAX);
    cw_buf_init(&wrong, SIZE_MAX);
    if (cw_file_read(path, FILE_BYTES_MAX, &text, &err) < 0) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        cw_buf_fini(&text);
        return false;
    }
    bool same = true;
    uint64_t end = counts.queries + queries;
    for (struct cw_str rest = cw_buf_str(&text); same && counts.queries < end;) {
        if (rest.len == 0)
            rest = cw_buf_str(&text);
        struct match_model *m = next_block(&rest);
        uint64_t block_end = CW_MIN(end, counts.queries + CW_MAX(queries / 8, UINT64_C(20)));
        while (same && match_model_kind(m) == CW_BLOCK_TEMPLATES && counts.queries < block_end)
            same = match_model_check_random(m, &state, &counts, &wrong);
        match_model_free(&m);
    }
    if (!same)
        printf("%s: %.*s\n", path, (int)wrong.len, wrong.ptr);
    cw_buf_fini(&text);
    cw_buf_fini(&wrong);
    return same;
}

int main(int argc, char **argv)
{
    uint64_t queries;
    if (argc < 4 || !cw_str_to_u64(cw_str_of(argv[1]), &queries) ||
        !cw_str_to_u64(cw_str_of(argv[2]), &state)) {
        fprintf(stderr, "usage: match_check QUERIES SEED FILE...\n");
        return 2;
    }
    uint64_t each = queries / (uint64_t)(argc - 3) + 1;
    for (int i = 3; i < argc; i++)
        if (!check_file(argv[i], each))
            return 1;
    printf(
        "%llu queries, no difference; %.1f %% of rows are left to their lines; of %llu that nothing "
        "passes grams tell %.1f %%\n",
        (unsigned long long)counts.queries, 100.0 * (double)counts.unsure / (double)counts.rows,
        (unsigned long long)counts.empty,
        100.0 * (double)counts.ruled_out / (double)CW_MAX(counts.empty, UINT64_C(1)));
    return 0;
}
