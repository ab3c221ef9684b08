/*
 * redact FILE...: what blotting out costs: each file's lines through all detectors (mask), with the CPU time of this thread
 * what was found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/redact.h"

enum { FILE_MAX = 1 << 30, LINES_AN_ARENA = 256 };

static struct cw_redact *all_detectors(void)
{
    struct cw_redact_rule rules[CW_REDACT_RULES];
    struct cw_redact_options options = {.rules = rules};
    struct cw_redact *redact;
    for (const char *name; (name = cw_redact_detector(options.nrules, NULL)) != NULL;)
        rules[options.nrules++] =
            (struct cw_redact_rule){cw_str_of(name), .action = CW_REDACT_MASK};
    CW_ASSERT(cw_redact_new(&options, &redact, NULL) == 0);
    return redact;
}

static void measure(const char *path, struct cw_str text)
{
    struct cw_redact *redact = all_detectors();
    struct cw_arena *arena = cw_arena_new();
    struct cw_str rest = text, line;
    size_t nlines = 0;
    int64_t begun = cw_clock_thread_cpu_ns();
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line)) {
        cw_redact_line(redact, line, true, arena, NULL);
        if (++nlines % LINES_AN_ARENA == 0)
            cw_arena_reset(arena);
    }
    double seconds = (double)(cw_clock_thread_cpu_ns() - begun) / 1e9;
    printf("%s: %zu lines, %.0f MB per CPU second;", path, nlines,
           (double)text.len / 1e6 / seconds);
    for (size_t i = 0; i < cw_redact_nrules(redact); i++) {
        if (cw_redact_count(redact, i) > 0)
            printf(" %s %lu", cw_redact_rule_name(redact, i).ptr,
                   (unsigned long)cw_redact_count(redact, i));
    }
    putchar('\n');
    cw_arena_free(&arena);
    cw_redact_free(&redact);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        static struct cw_err err;
        struct cw_buf text;
        cw_buf_init(&text, FILE_MAX);
        if (cw_file_read(argv[i], FILE_MAX, &text, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        measure(argv[i], cw_buf_str(&text));
        cw_buf_fini(&text);
    }
    return 0;
}
