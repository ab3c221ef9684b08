/*
 * stack_trace.h - which lines belong to the stack trace of the entry before them: Java, Python, Go, Node.js, Ruby, .NET, PHP and
 * Rust, without configuration.
 *
 * Lines are fed one by one; each either begins an entry or continues the one that is open. A line that only occurs within traces
 * (a frame, "Caused by:") always continues. One that begins a trace (an exception's name, "Traceback") continues a line that told
 * of trouble (its level or its words say so), for that is how logging libraries print both; else it begins an entry.
 *
 * Ownership  A state keeps the front of the entry's first line as a copy; nothing is borrowed.
 * Threads    The recognisers are read-only once made.
 */
#ifndef CW_PIPELINE_STACK_TRACE_H
#define CW_PIPELINE_STACK_TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/str.h"

struct cw_stack_traces;

struct cw_stack_traces *cw_stack_traces_new(void);
void cw_stack_traces_free(struct cw_stack_traces **traces);

/* Of one source, zeroed at its begin. */
struct cw_stack_trace {
    unsigned state;
    bool begun;
    size_t first_len;
    char first[256]; /* of the entry's first line */
};
/* True: the line (without its newline) belongs to the entry of the lines before. */
bool cw_stack_trace_continues(const struct cw_stack_traces *traces, struct cw_stack_trace *trace,
                              struct cw_str line);

#endif
