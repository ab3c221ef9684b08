#include "common/pipeline/stack_trace.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/match/regex.h"

/* What the open entry is in the middle of, as bits. */
enum {
    PLAIN = 1 << 0,       /* no trace */
    FRAMES = 1 << 1,      /* Java, Node.js, .NET: an exception or its frames */
    BRACE = 1 << 2,       /* Node.js: the error's own members, behind a frame that ends with '{' */
    GAP = 1 << 3,         /* an empty line behind a trace */
    PYTHON = 1 << 4,      /* frames */
    PYTHON_END = 1 << 5,  /* behind the exception's line */
    PYTHON_MORE = 1 << 6, /* "During handling of the above exception ..." */
    GO = 1 << 7,
    RUST_MESSAGE = 1 << 8, /* the message of a panic is on the next line */
    RUST = 1 << 9,
    RUBY = 1 << 10,
    PHP = 1 << 11,
    CODE = 1 << 12,   /* Node.js: the place of an uncaught error, its line is next */
    SOURCE = 1 << 13, /* behind that line */
    ANY = (1 << 14) - 1,
    TROUBLE = 1 << 14, /* ... if the entry's first line told of trouble */
};

/* An exception's name at the front of a line, and what it is printed behind. */
#define EXCEPTION                                                                                  \
    "(?:Uncaught |Unhandled exception\\. |Exception in thread \"[^\"]*\" )?"                       \
    "(?:[A-Za-z_$][\\w$]*(?:\\.|::|\\\\))*[A-Za-z_$]?[\\w$]*(?:Exception|Error|Throwable)"         \
    "(?: \\[\\w+\\])?(?::| \\(|$)"
#define TRACEBACK "\\s*(?:\\+ Exception Group )?Traceback \\(most recent call last\\):$"

struct row {
    unsigned in; /* the states in which it counts */
    const char *pattern;
    unsigned next;
    const char *first; /* what the line must begin with one of; NULL: anything */
};
#define SPACES " \t"

/* What continues an entry: the first row that matches. */
static const struct row continues[] = {
    /* Rust, ahead of the other frames; a message is any line. */
    {RUST_MESSAGE, "", RUST},
    {RUST, "^(?:\\s+\\S|stack backtrace:$|note: )", RUST},
    {FRAMES | GAP, "^Caused by:$", RUST},
    /* Java, Node.js, .NET */
    {ANY, "^\\s+at .* \\{$", BRACE, SPACES},
    {ANY, "^\\s+at (?:async |new )?[^\\s\\d(][^\\s(]* ?(?:\\[as \\S+\\] )?\\(", FRAMES, SPACES},
    {ANY, "^\\s+at (?:async )?\\S+:\\d+(?::\\d+)?$", FRAMES, SPACES},
    {ANY, "^\\s*(?:Caused by|Suppressed|Wrapped by): ", FRAMES, SPACES "CSW"},
    {ANY, "^\\s+\\.\\.\\. \\d+ (?:more|common frames|lines matching)", FRAMES, SPACES},
    {ANY, "^(?:\\s+--- End of |--- End of stack trace from previous location|\\s+---> )", FRAMES,
     SPACES "-"},
    {BRACE, "^\\s", BRACE, SPACES},
    {BRACE, "^[}\\]]", FRAMES},
    {FRAMES, "^\\s+\\S", FRAMES, SPACES},
    {CODE, "", SOURCE},
    {SOURCE, "^(?:\\s|$)", SOURCE},
    {SOURCE, "^" EXCEPTION, FRAMES},
    {GAP, "^Node\\.js v\\d", PLAIN},
    /* Python */
    {PYTHON, "^\\s", PYTHON, SPACES},
    {PYTHON, "^[A-Za-z_][\\w.]*(?:: .*|:)?$", PYTHON_END},
    {GAP | PYTHON_END,
     "^(?:During handling of the above exception|The above exception was the direct cause)",
     PYTHON_MORE},
    {PYTHON_MORE, "^$", PYTHON_MORE},
    {PYTHON_MORE, "^" TRACEBACK, PYTHON, SPACES "+T"},
    /* Go */
    {GO,
     "^(?:goroutine \\d|\t|created by |\\[signal |$|r[a-z0-9]{1,5} +0x|\\.\\.\\.additional frames)",
     GO},
    {GO, "^[\\w./*()%\\[\\]-]+\\(.*\\)$", GO},
    {GO, "^exit status \\d+$", PLAIN},
    /* Ruby */
    {ANY, "^\\s+(?:\\d+: )?from \\S+:\\d+:in ", RUBY, SPACES},
    {FRAMES | GAP | RUBY, "^\\S+:\\d+:in [`']", RUBY},
    /* PHP */
    {ANY, "^(?:(?:PHP )?Stack trace:|\\[stacktrace\\])$", PHP, "PS["},
    {ANY, "^#\\d+ (?:/|\\{main\\}|\\[internal function\\]|[A-Za-z]:\\\\)", PHP, "#"},
    {PHP, "^(?:#\\d+ |Next [\\w\\\\]+(?:Exception|Error))", PHP},
    {PHP, "^(?:\\s+thrown in |\"\\})", PLAIN},
    /* An empty line, until what follows says more */
    {FRAMES | PYTHON_END, "^$", GAP},
    /* What begins a trace, behind a line that told of trouble */
    {PLAIN | TROUBLE, "^" EXCEPTION, FRAMES},
    {PLAIN | TROUBLE, "^" TRACEBACK, PYTHON, SPACES "+T"},
    {PLAIN | TROUBLE, "^goroutine \\d+ \\[", GO, "g"},
};

/* What an entry that begins is in the middle of; without a match PLAIN. */
static const struct row begins[] = {
    {ANY, "^" TRACEBACK, PYTHON, SPACES "+T"},
    {ANY, "^(?:panic: |fatal error: |goroutine \\d+ \\[)", GO, "pfg"},
    {ANY, "^thread '.*' (?:\\(\\d+\\) )?panicked at .*:$", RUST_MESSAGE, "t"},
    {ANY, "^thread '.*' panicked at ", RUST, "t"},
    {ANY, "^\\S+\\.rb:\\d+:in .*\\([\\w:]+\\)$", RUBY},
    {ANY, "^(?:/|file://|node:|[A-Za-z]:\\\\)\\S*\\.[cm]?[jt]s:\\d+$", CODE},
    {ANY, "^" EXCEPTION, FRAMES},
};

#define TROUBLE_WORDS                                                                              \
    "(?i)error|exception|fail|fatal|severe|warn|panic|critical|crash|unhandled|uncaught"

struct cw_stack_traces {
    struct cw_regex *continues[CW_COUNT(continues)], *begins[CW_COUNT(begins)], *trouble;
};

static struct cw_regex *compile(const char *pattern)
{
    struct cw_regex *regex = NULL;
    int rc = cw_regex_compile(cw_str_of(pattern), CW_REGEX_SEARCH, &regex, NULL);
    CW_ASSERT(rc == 0); /* they are ours */
    return regex;
}

struct cw_stack_traces *cw_stack_traces_new(void)
{
    struct cw_stack_traces *traces = cw_mem_new(sizeof *traces);
    for (size_t i = 0; i < CW_COUNT(continues); i++)
        traces->continues[i] = compile(continues[i].pattern);
    for (size_t i = 0; i < CW_COUNT(begins); i++)
        traces->begins[i] = compile(begins[i].pattern);
    traces->trouble = compile(TROUBLE_WORDS);
    return traces;
}

void cw_stack_traces_free(struct cw_stack_traces **traces)
{
    if (*traces == NULL)
        return;
    for (size_t i = 0; i < CW_COUNT(continues); i++)
        cw_regex_free(&(*traces)->continues[i]);
    for (size_t i = 0; i < CW_COUNT(begins); i++)
        cw_regex_free(&(*traces)->begins[i]);
    cw_regex_free(&(*traces)->trouble);
    free(*traces);
    *traces = NULL;
}

/* A regex that passes its limits does not match. */
static bool matches(const struct cw_regex *regex, struct cw_str line)
{
    return cw_regex_match(regex, line, NULL) == 1;
}

static bool told_of_trouble(const struct cw_stack_traces *traces,
                            const struct cw_stack_trace *trace)
{
    return matches(traces->trouble, cw_str_make(trace->first, trace->first_len));
}

/* Most lines begin with what no exception does (a digit, '[', '{'), and are done without an expression. */
static bool may_match(const struct row *row, unsigned state, struct cw_str line)
{
    char c = line.len > 0 ? line.ptr[0] : '\0';
    if (row->first != NULL)
        return c != '\0' && strchr(row->first, c) != NULL;
    return state != PLAIN || (c != '\0' && !(c >= '0' && c <= '9') && strchr("[{<(", c) == NULL);
}

static void begin(const struct cw_stack_traces *traces, struct cw_stack_trace *trace,
                  struct cw_str line)
{
    trace->begun = true;
    trace->first_len = CW_MIN(line.len, sizeof trace->first);
    if (trace->first_len > 0)
        memcpy(trace->first, line.ptr, trace->first_len);
    trace->state = PLAIN;
    for (size_t i = 0; i < CW_COUNT(begins); i++) {
        if (!may_match(&begins[i], PLAIN, line) || !matches(traces->begins[i], line))
            continue;
        trace->state = begins[i].next;
        return;
    }
}

bool cw_stack_trace_continues(const struct cw_stack_traces *traces, struct cw_stack_trace *trace,
                              struct cw_str line)
{
    if (cw_str_ends(line, CW_STR("\r")))
        line.len--;
    line = cw_str_sub(line, 0, CW_LIMIT_LINE_BYTES);
    for (size_t i = 0; trace->begun && i < CW_COUNT(continues); i++) {
        const struct row *row = &continues[i];
        if (!(row->in & trace->state) || !may_match(row, trace->state, line) ||
            !matches(traces->continues[i], line) ||
            (row->in & TROUBLE && !told_of_trouble(traces, trace)))
            continue;
        trace->state = row->next;
        return true;
    }
    begin(traces, trace, line);
    return false;
}
