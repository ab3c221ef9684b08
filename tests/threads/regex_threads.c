/* One regex and one line filter, used by many threads at once; threads come and go, so what they keep must go with them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/line_filter.h"
#include "common/match/regex.h"

enum { THREADS = 4, ROUNDS = 3, TEXTS = 200, LONG_LINE = 20000 };

static struct cw_regex *regex, *hard;
static struct cw_line_filter *filter;

static void match_all(const char *long_line)
{
    struct cw_err err;
    for (int i = 0; i < TEXTS; i++) {
        char text[64];
        size_t n = (size_t)snprintf(text, sizeof text, "user=u%d %s ip=10.0.0.%d", i,
                                    i % 2 ? "\xC3\xA9" : "\xFF", i % 256);
        struct cw_str groups[3], line = cw_str_make(text, n);
        CW_ASSERT(cw_regex_captures(regex, line, groups, 3, &err) == 1);
        CW_ASSERT(groups[1].ptr == text + 5);
        CW_ASSERT(cw_line_filter_match(filter, line, &err) == (i % 10 == 7));
    }
    /* Backtracking gives up here, and the NFA decides. */
    int rc = cw_regex_match(hard, cw_str_make(long_line, LONG_LINE), &err);
    CW_ASSERT(rc == 0 || rc == CW_E_LIMIT);
}

static void *run(void *arg)
{
    match_all(arg);
    return NULL;
}

int main(void)
{
    struct cw_err err;
    if (cw_regex_compile(CW_STR("user=(\\w+) . ip=(\\d+\\.){3}"), 0, &regex, &err) < 0 ||
        cw_regex_compile(CW_STR("^(a+)+$"), 0, &hard, &err) < 0 ||
        cw_line_filter_new(CW_FILTER_RE, &filter, &err) < 0 ||
        cw_line_filter_add(filter, CW_STR("user=u\\d*7 "), 0, &err) < 0)
        return 1;
    char *long_line = cw_mem_new(LONG_LINE);
    memset(long_line, 'a', LONG_LINE - 1);
    long_line[LONG_LINE - 1] = '!';
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            CW_ASSERT(pthread_create(&threads[i], NULL, run, long_line) == 0);
        for (int i = 0; i < THREADS; i++)
            CW_ASSERT(pthread_join(threads[i], NULL) == 0);
    }
    cw_regex_free(&regex);
    cw_regex_free(&hard);
    cw_line_filter_free(&filter);
    free(long_line);
    return 0;
}
