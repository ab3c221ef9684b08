/*
 * line_time.h - when a line of a log was written, by what stands in it.
 *
 *     at the front    any form of time_text.h, behind "[", behind a syslog priority ("<34>", "<34>1 ")
 *     JSON            the member time, ts, timestamp or @timestamp of the object: a text of those forms, or a number since the epoch
 *     logfmt          ts= or time= or timestamp=, the same
 *     access logs     [05/Jan/2026:10:00:00 +0100] behind the client's names
 *     inside          an ISO date with a time among the first CW_LINE_TIME_INSIDE_BYTES, where a word begins, in a line that does not
 *                     begin with a blank and is no JSON
 *
 * What lines of a file look like is learnt of its first ones: a form other than those at the front counts only in files where it was
 * seen there, so that a date that is spoken of in a line (of a stack trace, say) is not taken for the line's time.
 *
 * Ownership  A reader owns an arena.
 * Threads    A reader belongs to one thread; _init_like() makes another one that knows the same.
 */
#ifndef CW_LOCAL_LINE_TIME_H
#define CW_LOCAL_LINE_TIME_H
#include "common/base/arena.h"
#include "querier/local/time_text.h"

#define CW_LINE_TIME_INSIDE_BYTES 128

struct cw_line_time {
    struct cw_time_text text;
    unsigned kinds; /* that are looked for, beside what stands at the front */
    struct cw_arena *arena;
};

void cw_line_time_init(struct cw_line_time *reader, enum cw_zone zone, int64_t reference_ns);
void cw_line_time_init_like(struct cw_line_time *reader, const struct cw_line_time *other);
void cw_line_time_fini(struct cw_line_time *reader);
/* From the first lines of a file (whole ones; '\n' ends each). */
void cw_line_time_learn(struct cw_line_time *reader, struct cw_str lines);
/* Take the first line off *lines, without its newline; false when there is none. */
bool cw_line_time_next(struct cw_str *lines, struct cw_str *line_out);
/* The line without its newline. */
bool cw_line_time_read(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out);

#endif
