/*
 * stage_lines.h - lines through pipeline stages that are written as YAML, for tests.
 *
 * The stages are items of a list, "- json: ..."; in errors the file is p.yml, where they begin in line 2. A fed line belongs to
 * {app="x"} at 2026-01-05T09:00:00Z; its offsets follow the line before.
 */
#ifndef CW_SUPPORT_STAGE_LINES_H
#define CW_SUPPORT_STAGE_LINES_H
#include "common/pipeline/stage_config.h"
#include "common/pipeline/stages.h"

struct cw_stage_lines {
    struct cw_arena *config_arena, *arena;
    struct cw_stages *stages;
    struct cw_stages_run *run;
    struct cw_stages_run_options options; /* a change counts after cw_stage_lines_again() */
    struct cw_stage_entry next;           /* what the next line is fed as */
    struct cw_buf out;                    /* what came out since the last look */
    bool shows_extracted, shows_offsets;
};

void cw_stage_lines_init(struct cw_stage_lines *lines, const char *stages);
/* The same with what the program counts in. */
void cw_stage_lines_init_in(struct cw_stage_lines *lines, const char *stages,
                            struct cw_stages_host *host);
void cw_stage_lines_fini(struct cw_stage_lines *lines);
/* A new run. */
void cw_stage_lines_again(struct cw_stage_lines *lines);
void cw_stage_lines_feed(struct cw_stage_lines *lines, const char *line);
/* What came out: "TIME {labels} [metadata] [tenant=t] line\n" for each entry, "dropped: reason\n". */
void cw_stage_lines_expect(struct cw_stage_lines *lines, const char *want);
/* Loading them gives that warning, and no other. */
void cw_stage_lines_expect_warning(const char *stages, const char *want);
/* Loading them fails, with that as the first error. */
void cw_stage_lines_expect_error(const char *stages, const char *want);

#endif
