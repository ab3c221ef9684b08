/*
 * docker_line.h - one line of Docker Engine's json-file log:
 * {"log":"text\n","stream":"stdout","time":"2026-..Z"}.
 *
 * Docker cuts what a container writes into pieces of 16 KiB; a piece without a newline at its end
 * goes on in the next line of the same stream.
 *
 * Errors     CW_E_INVALID: not such a line. Any bytes are safe; nesting (of "attrs") is bounded.
 */
#ifndef CW_SHIPPER_DOCKER_LINE_H
#define CW_SHIPPER_DOCKER_LINE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

enum cw_docker_stream { CW_DOCKER_STDOUT, CW_DOCKER_STDERR };

struct cw_docker_line {
    struct cw_str
        text; /* in the caller's memory; without the newline and what a terminal puts ahead of it */
    enum cw_docker_stream stream;
    bool partial; /* it had no newline: more of it follows */
    int64_t ts_ns;
};

/* Of a whole line: carriage returns at its end are the terminal's. */
static inline struct cw_str cw_docker_line_trim(struct cw_str text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    return text;
}

/* `text` has room for line.len bytes: a decoded text is never longer. */
int cw_docker_line_decode(struct cw_str line, char *text, struct cw_docker_line *out,
                          struct cw_err *err) CW_MUST_USE;

#endif
