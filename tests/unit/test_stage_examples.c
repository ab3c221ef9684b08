/* Pipelines as people write them for promtail: each file of tests/data/pipelines is stages, lines and what comes of them. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/stage_lines.h"

enum { NEXAMPLES_MIN = 20 };

static struct cw_str read_file(const char *folder, const char *name, struct cw_arena *arena)
{
    static char text[64 << 10];
    FILE *file = fopen(cw_arena_printf(arena, "%s/%s", folder, name).ptr, "rb");
    cr_assert_not_null(file, "%s", name);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    return cw_arena_dup(arena, cw_str_make(text, len));
}

/* What stands ahead of a line "%%". */
static struct cw_str take_section(struct cw_str *rest)
{
    ptrdiff_t at = cw_str_find(*rest, CW_STR("%%\n"));
    struct cw_str section = at < 0 ? *rest : cw_str_sub(*rest, 0, (size_t)at);
    *rest = at < 0 ? CW_STR("") : cw_str_sub(*rest, (size_t)at + 3, rest->len);
    return section;
}

static void check_example(const char *folder, const char *name)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str rest = read_file(folder, name, arena), line;
    struct cw_str stages = take_section(&rest), fed = take_section(&rest);
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, cw_arena_dup(arena, stages).ptr);
    while (fed.len > 0 && cw_str_split(&fed, '\n', &line))
        cw_stage_lines_feed(&lines, cw_arena_dup(arena, line).ptr);
    cw_stages_flush(lines.run);
    const char *want = cw_arena_dup(arena, rest).ptr;
    cr_expect_str_eq(cw_buf_z(&lines.out), want, "%s: got:\n%swant:\n%s", name,
                     cw_buf_z(&lines.out), want);
    cw_stage_lines_fini(&lines);
    cw_arena_free(&arena);
}

Test(stage_examples, pipelines_of_the_world_do_what_they_mean)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/pipelines", getenv("CW_TEST_DATA"));
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir, "%s", folder);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        check_example(folder, entry->d_name);
        n++;
    }
    closedir(dir);
    cr_expect_geq(n, NEXAMPLES_MIN);
}
